// What a training step adds to inference: the weight gradients of SRVGG's, DnCNN's and NAFNet's layers
// on batches of training patches, and the sums and derivatives beside them.
#include <memory>
#include <vector>

#include "bench/kernels/bench_rungs.h"
#include "kernels/activation/gradient.h"
#include "kernels/conv2d/gradient.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/normalization/gradient.h"

namespace mend::bench {
namespace {

void add_weight_gradient(const std::string& label, const op::Conv2dWeightGradient& op,
                         const Shape& x, const Shape& dy) {
  const auto memory = std::make_shared<std::vector<std::byte>>();  // rungs differ in what they need
  register_rungs(conv2d_weight_gradient_ladder(), op, label, {x, dy},
                 [op, memory](const Conv2dWeightGradientKernel& kernel, Inputs inputs,
                              const Tensor& y, Scratch) {
                   if (kernel.scratch_bytes != nullptr) {
                     const std::int64_t bytes = kernel.scratch_bytes(op, shapes_of(inputs));
                     if (std::ssize(*memory) < bytes) {
                       memory->resize(static_cast<std::size_t>(bytes));
                     }
                   }
                   kernel.run({op, inputs[0].view<const float>(), inputs[1].view<const float>(),
                               y.view<float>(), *memory});
                 });
}

const bool kRegistered = [] {
  const op::Conv2dWeightGradient conv3x3{3, 3, 1, 1, 1, 1, 1};
  add_weight_gradient("32to32_k3/16x48x48", conv3x3, {16, 48, 48, 32}, {16, 48, 48, 32});
  add_weight_gradient("64to64_k3/16x64x64", conv3x3, {16, 64, 64, 64}, {16, 64, 64, 64});
  add_weight_gradient("3to64_k3/16x64x64", conv3x3, {16, 64, 64, 3}, {16, 64, 64, 64});
  add_weight_gradient("64to3_k3/16x64x64", conv3x3, {16, 64, 64, 64}, {16, 64, 64, 3});
  const op::Conv2dWeightGradient depthwise{3, 3, 1, 1, 1, 1, 64};
  add_weight_gradient("64to64_k3g64/16x64x64", depthwise, {16, 64, 64, 64}, {16, 64, 64, 64});

  const op::SumTo bias{vector_shape(64)};
  register_rungs(sum_to_ladder(), bias, "bias_64c/16x64x64", {{16, 64, 64, 64}},
                 [bias](SumToKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                   kernel(bias, inputs[0].view<const float>(), View<const float>{}, y.view<float>(),
                          scratch);
                 });
  const op::ActivationGradient gelu{{ActivationKind::kGelu}};
  register_rungs(activation_gradient_ladder(), gelu, "gelu_64c/16x64x64",
                 {{16, 64, 64, 64}, {16, 64, 64, 64}},
                 [gelu](ActivationGradientKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(gelu.activation, inputs[0].view<const float>(),
                          inputs[1].view<const float>(), View<const float>{}, y.view<float>());
                 });
  const op::PixelNormGradient norm{PixelMeasure::kDeviation, 1e-6f};
  register_rungs(pixel_norm_gradient_ladder(), norm, "layer_norm_64c/16x64x64",
                 {{16, 64, 64, 64}, {16, 64, 64, 64}, vector_shape(64)},
                 [norm](PixelNormGradientKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(norm, inputs[0].view<const float>(), inputs[1].view<const float>(),
                          inputs[2].view<const float>(), y.view<float>());
                 });
  return true;
}();

}  // namespace
}  // namespace mend::bench
