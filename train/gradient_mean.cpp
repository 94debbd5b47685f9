#include "train/gradient_mean.h"

#include <algorithm>
#include <limits>

#include "engine/parallel.h"
#include "kernels/parameter_update/parameter_update.h"
#include "train/training_state.h"

namespace mend {
namespace {

/// A MiB: at 10 Gbit/s a message of a millisecond, against some 20 µs to start one.
constexpr std::int64_t kBucketNumbers = 1 << 18;

}  // namespace

GradientMean::GradientMean(std::shared_ptr<Replicas> replicas, std::vector<std::size_t> order,
                           const std::vector<std::int64_t>& sizes, Device& device)
    : replicas_(std::move(replicas)), device_(device), order_(std::move(order)), offsets_{0} {
  for (std::size_t place = 0; place < order_.size(); ++place) {
    const std::int64_t end = offsets_.back() + sizes[order_[place]];
    const std::int64_t first = buckets_.empty() ? 0 : buckets_.back().end;
    offsets_.push_back(end);
    if (end - first >= kBucketNumbers || place + 1 == order_.size()) {
      buckets_.push_back({place, first, end});
    }
  }
  const auto count = static_cast<std::size_t>(offsets_.back());
  memory_ = device_.allocate_staging(std::max<std::size_t>(count, 1) * sizeof(float));
  numbers_ = {static_cast<float*>(memory_.get()), count};
}

void GradientMean::start_full_buckets() {
  for (; started_ < buckets_.size() && buckets_[started_].last < added_; ++started_) {
    const Bucket& bucket = buckets_[started_];
    replicas_->start_sum({numbers_.data() + bucket.first_number,
                          static_cast<std::size_t>(bucket.end - bucket.first_number)});
  }
}

void GradientMean::fetch(const Tensors& gradients, std::size_t final) {
  for (std::size_t place = added_; place < final; ++place) {
    const Tensor& gradient = gradients[order_[place]];
    device_.copy_later(numbers_.data() + offsets_[place], gradient.address(),
                       static_cast<std::size_t>(gradient.bytes()));
  }
  device_.synchronize();
  added_ = final;
}

void GradientMean::progress(const Tensors& gradients, std::size_t final) {
  const bool waits = device_.kind() != DeviceKind::kCpu && final < order_.size();
  if (added_ < final && !waits) fetch(gradients, final);
  start_full_buckets();
  replicas_->advance();
}

void GradientMean::finish(const Tensors& gradients) {
  std::fill(numbers_.begin() + offsets_[added_], numbers_.end(),
            std::numeric_limits<float>::quiet_NaN());
  const bool complete = added_ == order_.size();
  added_ = order_.size();
  start_full_buckets();
  replicas_->finish_sums();
  added_ = started_ = 0;
  if (!complete) return;
  const double share = 1.0 / replicas_->size();
  parallel_for(static_cast<std::int64_t>(order_.size()), [&](std::int64_t place, int) {
    const auto at = static_cast<std::size_t>(place);
    for (std::int64_t i = offsets_[at]; i < offsets_[at + 1]; ++i) {
      float& number = numbers_[static_cast<std::size_t>(i)];
      number = static_cast<float>(share * number);
    }
  });
  for (std::size_t place = 0; place < order_.size(); ++place) {
    const Tensor& gradient = gradients[order_[place]];
    device_.copy_later(const_cast<void*>(gradient.address()), numbers_.data() + offsets_[place],
                       static_cast<std::size_t>(gradient.bytes()));
  }
}

void average(const Tensors& gradients, Replicas& replicas) {
  if (replicas.size() == 1) return;
  Tensors here;  // those of a GPU as copies
  std::vector<PieceRow> rows;
  for (const Tensor& gradient : gradients) {
    here.push_back(gradient ? gradient.on(cpu()) : Tensor());
    if (!gradient) continue;
    rows.push_back({here.back()});
    replicas.start_sum({rows.back().arrays[0], static_cast<std::size_t>(rows.back().numbers)});
  }
  replicas.finish_sums();
  TensorPieces pieces;
  pieces.assign(cpu(), rows);
  for_each_number(ScaleRule{1.0 / replicas.size()}, pieces.all());
  for (std::size_t i = 0; i < gradients.size(); ++i) put_back(here[i], gradients[i]);
}

}  // namespace mend
