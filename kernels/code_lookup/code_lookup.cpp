#include "kernels/code_lookup/code_lookup.h"

#include <cassert>

#include "kernels/code_lookup/cuda.h"
#include "kernels/code_lookup/rungs.h"
#include "kernels/cuda/memory_seconds.h"

namespace mend {
namespace {

double simd_seconds(const op::CodeLookup& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}
#ifdef MEND_HAS_CUDA
/// Each number of the logits drags a sector through L2.
double cuda_naive_seconds(const op::CodeLookup& op, const Shapes& in) {
  return 8 * op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}
#endif

// clang-format off
constexpr Variant<op::CodeLookup, CodeLookupKernel> kLadder[] = {
    // name                    device             can it?        time                error  entry
    {"code_lookup/reference",  DeviceKind::kCpu,  never_refuses, slowest,            0,     code_lookup_reference},
    {"code_lookup/simd",       DeviceKind::kCpu,  never_refuses, simd_seconds,       0,     code_lookup_simd},
#ifdef MEND_HAS_CUDA
    {"code_lookup/cuda_naive", DeviceKind::kCuda, never_refuses, cuda_naive_seconds, 0,     code_lookup_cuda_naive},
    {"code_lookup/cuda_warp",  DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0,     code_lookup_cuda_warp},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::CodeLookup, CodeLookupKernel>> code_lookup_ladder() { return kLadder; }

namespace op {

Shape CodeLookup::shape(const Shapes& in) const {
  assert(in.size() == 2);
  const Shape &logits = in[kLogits], &codes = in[kCodes];
  if (codes.n != 1 || codes.h != 1 || codes.w != logits.c) {
    throw ShapeError(
        fmt::format("code_lookup: logits {} choose among codes [1,1,{},C], but codes "
                    "is {}",
                    to_string(logits), logits.c, to_string(codes)));
  }
  return {logits.n, logits.h, logits.w, codes.c};
}

/// Which codes are read depends on the numbers; each pixel reads one.
Cost CodeLookup::cost(const Shapes& in) const {
  const double logits = static_cast<double>(in[kLogits].elements());
  const double y = static_cast<double>(shape(in).elements());
  return {logits, sizeof(float) * (logits + 2 * y)};
}

Footprint CodeLookup::footprint(const Shapes&) const { return {}; }

void CodeLookup::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(code_lookup_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(inputs[kLogits].view<const float>(), inputs[kCodes].view<const float>(),
              y.view<float>());
}

}  // namespace op
}  // namespace mend
