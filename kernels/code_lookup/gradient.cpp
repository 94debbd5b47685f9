// The gradient of the code look-up: a scatter into the codes. There is one code for hundreds of pixels
// (a face of 512x512 has 256), so it has no time to lose and one implementation.
#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/code_lookup/code_lookup.h"
#include "kernels/code_lookup/cuda.h"
#include "kernels/cuda/memory_seconds.h"

namespace mend {
namespace {

/// The first index of the largest of K numbers; -1 if one is NaN.
int first_largest(const float* logits, int K) {
  if (std::any_of(logits, logits + K, [](float x) { return std::isnan(x); })) return -1;
  return static_cast<int>(std::max_element(logits, logits + K) - logits);
}

void gradient_reference(View<const float> logits, View<const float> dy, View<float> y,
                        Scratch scratch) {
  const int K = y.shape.w, C = y.shape.c;
  auto* sums = reinterpret_cast<double*>(scratch.data());
  std::fill_n(sums, y.shape.elements(), 0.0);
  for (int n = 0; n < logits.shape.n; ++n)
    for (int h = 0; h < logits.shape.h; ++h)
      for (int w = 0; w < logits.shape.w; ++w) {
        const int taken = first_largest(logits.pixel(n, h, w), K);
        if (taken < 0) continue;
        double* sum = sums + std::int64_t{taken} * C;
        for (int c = 0; c < C; ++c) sum[c] += dy(n, h, w, c);
      }
  for (int k = 0; k < K; ++k)
    for (int c = 0; c < C; ++c) y(0, 0, k, c) = static_cast<float>(sums[std::int64_t{k} * C + c]);
}

#ifdef MEND_HAS_CUDA
void gradient_cuda(View<const float> logits, View<const float> dy, View<float> y, Scratch) {
  code_lookup_gradient_cuda(logits, dy, y);
}
#endif

// clang-format off
constexpr Variant<op::CodeLookupGradient, CodeLookupGradientKernel> kLadder[] = {
    // name                            device             can it?        time                error  entry
    {"code_lookup_gradient/reference", DeviceKind::kCpu,  never_refuses, slowest,            0,     gradient_reference},
#ifdef MEND_HAS_CUDA
    {"code_lookup_gradient/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-7,  gradient_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::CodeLookupGradient, CodeLookupGradientKernel>>
code_lookup_gradient_ladder() {
  return kLadder;
}

namespace op {

Tensors CodeLookup::backward(const Backward& call) const {
  Tensors gradients(2);
  if (call.wants(kCodes)) {
    gradients[kCodes] = apply(CodeLookupGradient{}, {call.inputs[kLogits], call.dy});
  }
  return gradients;
}

Saves CodeLookup::saves(const std::vector<bool>& wanted) const {
  return {.inputs = wanted[kCodes] ? 1u << kLogits : 0u};
}

Shape CodeLookupGradient::shape(const Shapes& in) const {
  assert(in[kLogits].pixels() == in[kDy].pixels());
  return {1, 1, in[kLogits].c, in[kDy].c};
}

Cost CodeLookupGradient::cost(const Shapes& in) const {
  const auto logits = static_cast<double>(in[kLogits].elements());
  const auto dy = static_cast<double>(in[kDy].elements());
  return {logits + dy, sizeof(float) * (logits + dy + static_cast<double>(shape(in).elements()))};
}

Footprint CodeLookupGradient::footprint(const Shapes&) const { return {.global = true}; }

std::int64_t CodeLookupGradient::scratch_bytes(const Shapes& in) const {
  return std::int64_t{sizeof(double)} * shape(in).elements();
}

void CodeLookupGradient::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung =
      choose(code_lookup_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(inputs[kLogits].view<const float>(), inputs[kDy].view<const float>(), y.view<float>(),
              scratch);
}

}  // namespace op
}  // namespace mend
