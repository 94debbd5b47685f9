#include <algorithm>
#include <cassert>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/pool/pool.h"
#include "kernels/pool/variants.h"

namespace mend {
namespace {

double box_mean_seconds(const op::BoxMean& box, const Shapes& in) {
  return box.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::BoxMean, BoxMeanKernel> kLadder[] = {
    // name                device            can it?        time              error  entry
    {"box_mean/reference", DeviceKind::kCpu, never_refuses, slowest,          0,     box_mean_reference},
    {"box_mean/sliding",   DeviceKind::kCpu, never_refuses, box_mean_seconds, 1e-6,  box_mean_sliding},
#ifdef MEND_HAS_CUDA
    {"box_mean/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, box_mean_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::BoxMean, BoxMeanKernel>> box_mean_ladder() { return kLadder; }

Window box_window(int kernel, int p, int extent) {
  const int rows = std::min(kernel, extent);
  const int first = std::clamp(p - (rows - 1) / 2, 0, extent - rows);
  return {first, first + rows};
}

namespace op {

Shape BoxMean::shape(const Shapes& in) const {
  assert(in.size() == 1);
  if (kernel_h < 1 || kernel_w < 1) {
    throw ShapeError(fmt::format("box_mean: a window of {} x {} for {}; it must be at least 1 x 1",
                                 kernel_h, kernel_w, to_string(in[0])));
  }
  return in[0];
}

Cost BoxMean::cost(const Shapes& in) const {
  // Sliding windows: a number enters and leaves, down and across.
  const double elements = static_cast<double>(in[0].elements());
  return {4 * elements, 2 * sizeof(float) * elements};
}

Footprint BoxMean::footprint(const Shapes& in) const {
  const bool global = kernel_h >= in[0].h && kernel_w >= in[0].w;
  return {static_cast<double>(std::max(kernel_h, kernel_w) - 1), 1, 1, global};
}

std::string BoxMean::describe() const { return fmt::format("{}x{}", kernel_w, kernel_h); }

std::int64_t BoxMean::scratch_bytes(const Shapes& in) const {
  return box_mean_sliding_scratch(in[0]);
}

void BoxMean::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(box_mean_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>(), scratch);
}

}  // namespace op
}  // namespace mend
