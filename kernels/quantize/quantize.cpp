#include "kernels/quantize/quantize.h"

#include <fmt/format.h>

#include "engine/quantization.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/quantize/rungs.h"

namespace mend {
namespace op {

Shape Quantize::shape(const Shapes& in) const {
  const Shape wanted = code_shape(in[kX].c);
  if (in[kCode] != wanted) {
    throw ShapeError(fmt::format("quantize: the code is {}, but x {} needs {}",
                                 to_string(in[kCode]), to_string(in[kX]), to_string(wanted)));
  }
  return in[kX];
}

Cost Quantize::cost(const Shapes& in) const {
  const double elements = static_cast<double>(in[kX].elements());
  return {2 * elements, elements * (sizeof(float) + sizeof(std::int8_t))};
}

Footprint Quantize::footprint(const Shapes&) const { return {}; }

void Quantize::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(quantize_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(inputs[kX].view<const float>(), inputs[kCode].view<const float>(),
              y.view<std::int8_t>());
}

}  // namespace op

namespace {

double simd_seconds(const op::Quantize& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

constexpr Variant<op::Quantize, QuantizeKernel> kLadder[] = {
    {"quantize/reference", DeviceKind::kCpu, never_refuses, slowest, 0, quantize_reference},
    {"quantize/simd", DeviceKind::kCpu, never_refuses, simd_seconds, 0, quantize_simd},
#ifdef MEND_HAS_CUDA
    {"quantize/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, quantize_cuda},
#endif
};

}  // namespace

std::span<const Variant<op::Quantize, QuantizeKernel>> quantize_ladder() { return kLadder; }

}  // namespace mend
