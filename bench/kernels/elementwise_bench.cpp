// Residual sums, per-channel factors and gates, in the shapes of NAFNet and RRDBNet.
#include "bench/kernels/bench_rungs.h"
#include "kernels/elementwise/elementwise.h"

namespace mend::bench {
namespace {

void add_binary(const std::string& label, BinaryKind kind, const Shape& x, const Shape& z) {
  const op::Binary op{kind};
  register_rungs(binary_ladder(), op, label, {x, z},
                 [op](BinaryKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(op, inputs[0].view<const float>(), inputs[1].view<const float>(),
                          y.view<float>());
                 });
}

const bool kRegistered = [] {
  const Shape features{1, 256, 256, 64};
  add_binary("add_64c/256x256", BinaryKind::kAdd, features, features);
  add_binary("channel_factor_64c/256x256", BinaryKind::kMultiply, features, vector_shape(64));
  add_binary("map_64c/256x256", BinaryKind::kMultiply, features, {1, 256, 256, 1});
  add_binary("mean_rgb/512x512", BinaryKind::kSubtract, {1, 512, 512, 3}, vector_shape(3));
  add_binary("gamma_rgb/512x512", BinaryKind::kPower, {1, 512, 512, 3}, {1, 1, 1, 1});
  const op::Affine clamp{255.0f, 0.5f, 0.0f, 255.0f};
  register_rungs(affine_ladder(), clamp, "clamp_64c/256x256", {features},
                 [clamp](AffineKernel kernel, Inputs inputs, const Tensor& y, Scratch) {
                   kernel(clamp, inputs[0].view<const float>(), y.view<float>());
                 });
  return true;
}();

}  // namespace
}  // namespace mend::bench
