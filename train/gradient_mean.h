// The mean of all replicas' gradients, made while the rest of them is still computed.
//
// Gradients become final from the network's last layer to its first. Neighbours in that order share a
// bucket of about a MiB, whose sum starts with its last gradient: so few messages, and early ones
// (Li et al. 2020, arXiv:2006.15704, section 3.2). Those of a GPU are fetched at once when the last is final, into
// pinned memory, as a recorded step tells no sooner; the means go back the same way.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/op.h"
#include "train/replicas.h"

namespace mend {

class GradientMean {
 public:
  /// `order`: the gradients that there are, by their indices, as they become final; sizes[i] is how many
  /// numbers gradient i has. The same on all ranks. `device`: where the gradients lie.
  GradientMean(std::shared_ptr<Replicas> replicas, std::vector<std::size_t> order,
               const std::vector<std::int64_t>& sizes, Device& device = cpu());

  /// The first `final` of `order` are final; f32 and dense. The sums that are under way go on. Throws DeviceError.
  void progress(const Tensors& gradients, std::size_t final);
  /// Waits for the sums, and puts the means in the gradients' places. If not all were final, because of an
  /// error here, what is missing counts as NaN on the other ranks. Then progress() begins anew.
  void finish(const Tensors& gradients);

 private:
  struct Bucket {
    std::size_t last;                ///< place in order_ of its last gradient
    std::int64_t first_number, end;  ///< in numbers_
  };

  void fetch(const Tensors& gradients, std::size_t final);
  void start_full_buckets();

  std::shared_ptr<Replicas> replicas_;
  Device& device_;
  std::vector<std::size_t> order_;
  std::vector<std::int64_t> offsets_;  ///< by place in order_, and the end
  std::shared_ptr<void> memory_;
  std::span<float> numbers_;  ///< of all gradients, in order_; in memory_
  std::vector<Bucket> buckets_;
  std::size_t added_ = 0, started_ = 0;
};

/// The same at once and in place, on any device, where there is nothing to compute meanwhile. Undefined tensors are left out.
void average(const Tensors& gradients, Replicas& replicas);

}  // namespace mend
