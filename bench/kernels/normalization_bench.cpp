// Norms as SwinIR, Restormer, NAFNet, CodeFormer, GFPGAN and a DnCNN in training have them.
#include "bench/kernels/bench_rungs.h"
#include "kernels/normalization/adaptive_instance.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/normalization.h"

namespace mend::bench {
namespace {

void add_layer_norm(const std::string& label, const op::LayerNorm& norm, const Shape& x) {
  register_rungs(layer_norm_ladder(), norm, label, {x, vector_shape(x.c), vector_shape(x.c)},
                 [=](const LayerNormKernel& kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(norm.measure(), norm.eps, inputs[0].view<const float>(),
                          inputs[1].view<const float>(), inputs[2].view<const float>(),
                          y.view<float>());
                 });
}

void add_group_norm(const std::string& label, const op::GroupNorm& norm, const Shape& x) {
  register_rungs(
      group_norm_ladder(), norm, label, {x, vector_shape(x.c), vector_shape(x.c)},
      [=](const GroupNormKernel& kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
        kernel(norm, inputs[0].view<const float>(), inputs[1].view<const float>(),
               inputs[2].view<const float>(), y.view<float>(), scratch);
      });
}

const bool kRegistered = [] {
  add_layer_norm("60c/256x256", {1e-5f}, {1, 256, 256, 60});
  add_layer_norm("60c/32x32", {1e-5f}, {1, 32, 32, 60});  // in L2
  add_layer_norm("180c/64x64", {1e-5f}, {1, 64, 64, 180});
  add_layer_norm("bias_free_48c/256x256", {1e-5f, false}, {1, 256, 256, 48});
  add_layer_norm("32c/512x512", {1e-6f}, {1, 512, 512, 32});
  add_group_norm("32g_128c/256x256", {32, 1e-6f}, {1, 256, 256, 128});
  register_rungs(softmax_ladder(), op::Softmax{}, "1024c/16x16", {{1, 16, 16, 1024}},
                 [](SoftmaxKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(inputs[0].view<const float>(), y.view<float>());
                 });
  const op::AdaptiveInstanceNorm adaptive;
  register_rungs(adaptive_instance_norm_ladder(), adaptive, "256c/16x16",
                 {{1, 16, 16, 256}, {1, 16, 16, 256}},
                 [=](AdaptiveInstanceNormKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(adaptive.eps, inputs[0].view<const float>(),
                          inputs[1].view<const float>(), y.view<float>());
                 });
  const Shape batch{16, 48, 48, 64}, statistics{1, 1, 2, 64}, vector = vector_shape(64);
  register_rungs(batch_statistics_ladder(), op::BatchStatistics{}, "64c/16x48x48", {batch},
                 [](BatchStatisticsKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                   kernel(inputs[0].view<const float>(), y.view<float>(), scratch);
                 });
  const op::BatchNorm batch_norm;
  register_rungs(batch_norm_ladder(), batch_norm, "64c/16x48x48",
                 {batch, statistics, vector, vector},
                 [=](BatchNormKernel kernel, Inputs inputs, const Tensor& y, Scratch scratch) {
                   kernel(batch_norm.eps, inputs[0].view<const float>(),
                          inputs[1].view<const float>(), inputs[2].view<const float>(),
                          inputs[3].view<const float>(), y.view<float>(), scratch);
                 });
  const op::Demodulate demodulate;
  register_rungs(demodulate_ladder(), demodulate, "512to512_k3", {{512, 3, 3, 512}, {1, 1, 1, 512}},
                 [=](DemodulateKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(demodulate, inputs[0].view<const float>(), inputs[1].view<const float>(),
                          y.view<float>());
                 });
  return true;
}();

}  // namespace
}  // namespace mend::bench
