#include "kernels/channels/gradient.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "kernels/channels/variants.h"
#include "kernels/cuda/machine.h"
#include "kernels/rows.h"

namespace mend {
namespace {

double place_seconds(const op::PlaceChannels& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

#ifdef MEND_HAS_CUDA
double place_cuda_seconds(const op::PlaceChannels& op, const Shapes& in) {
  return op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}
#endif

// clang-format off
constexpr Variant<op::PlaceChannels, PlaceChannelsKernel> kLadder[] = {
    // name                      device             can it?        time                error  entry
    {"place_channels/reference", DeviceKind::kCpu,  never_refuses, slowest,            0,     place_channels_reference},
    {"place_channels/rows",      DeviceKind::kCpu,  never_refuses, place_seconds,      0,     place_channels_rows},
#ifdef MEND_HAS_CUDA
    {"place_channels/cuda",      DeviceKind::kCuda, never_refuses, place_cuda_seconds, 0,     place_channels_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::PlaceChannels, PlaceChannelsKernel>> place_channels_ladder() {
  return kLadder;
}

void place_channels_rows(const op::PlaceChannels& op, View<const float> x, View<float> y) {
  const int count = x.shape.c, after = op.total - op.first - count;
  for_each_run(y.shape, [&](const Run& run) {
    float* pixel = y.pixel(run.n, run.h, run.w);
    fill_run(0, pixel, y.w_stride, run.count, op.first);
    copy_run(x.pixel(run.n, run.h, run.w), x.w_stride, pixel + op.first, y.w_stride, run.count,
             count);
    fill_run(0, pixel + op.first + count, y.w_stride, run.count, after);
  });
}

namespace op {

Tensors Concat::backward(const Backward& call) const {
  Tensors gradients(call.inputs.size());
  int first = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const int count = call.inputs[i].shape().c;
    if (call.wants(i)) gradients[i] = apply(SliceChannels{first, count}, {call.dy});
    first += count;
  }
  return gradients;
}

Saves Concat::saves(const std::vector<bool>&) const { return {}; }

Tensors SliceChannels::backward(const Backward& call) const {
  const int total = call.inputs[0].shape().c;
  return {count == total ? call.dy : apply(PlaceChannels{first, total}, {call.dy})};
}

Saves SliceChannels::saves(const std::vector<bool>&) const { return {}; }

Shape PlaceChannels::shape(const Shapes& in) const {
  const Shape& x = in[0];
  if (first < 0 || first > total - x.c) {
    throw ShapeError(fmt::format("place_channels: the channels of {} from {} on are not among {}",
                                 to_string(x), first, total));
  }
  return {x.n, x.h, x.w, total};
}

Cost PlaceChannels::cost(const Shapes& in) const {
  return {0, sizeof(float) * static_cast<double>(in[0].elements() + shape(in).elements())};
}

Footprint PlaceChannels::footprint(const Shapes&) const { return {}; }

std::string PlaceChannels::describe() const { return fmt::format("at {} of {}", first, total); }

std::optional<RowPart> PlaceChannels::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[0].h, y);
}

void PlaceChannels::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(place_channels_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

}  // namespace op
}  // namespace mend
