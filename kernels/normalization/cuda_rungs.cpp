// From the operations to their launches.
#include "kernels/narrow_type.h"
#include "kernels/normalization/adaptive_instance.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/cuda.h"
#include "kernels/normalization/global_response.h"
#include "kernels/normalization/gradient.h"
#include "kernels/normalization/variants.h"

namespace mend {

void pixel_norm_cuda(PixelMeasure measure, float eps, View<const float> x, View<const float> gamma,
                     View<const float> beta, View<float> y) {
  launch_pixel_norm(measure, eps, x, gamma, beta, y);
}

void layer_norm_cuda_narrow(const op::LayerNorm& op, Inputs inputs, const Tensor& y) {
  using op::LayerNorm;
  with_narrow_type(op.type, [&]<class T>() {
    launch_pixel_norm<T>(op.measure(), op.eps, inputs[LayerNorm::kX].view<const T>(),
                         view_of<float>(inputs, LayerNorm::kGamma),
                         view_of<float>(inputs, LayerNorm::kBeta), y.view<T>());
  });
}

void softmax_cuda(View<const float> x, View<float> y) { launch_softmax(x, y); }

void pixel_norm_gradient_cuda(const op::PixelNormGradient& op, View<const float> x,
                              View<const float> dy, View<const float> gamma, View<float> y) {
  launch_pixel_norm_gradient(op.measure, op.eps, x, dy, gamma, y);
}

void softmax_gradient_cuda(View<const float> softmax, View<const float> dy, View<float> y) {
  launch_softmax_gradient(softmax, dy, y);
}

void group_norm_cuda(const op::GroupNorm& norm, View<const float> x, View<const float> gamma,
                     View<const float> beta, View<float> y, Scratch) {
  launch_group_norm<float>(norm.groups, norm.eps, x, gamma, beta, y);
}

void group_norm_cuda_narrow(const op::GroupNorm& op, Inputs inputs, const Tensor& y) {
  using op::GroupNorm;
  with_narrow_type(op.type, [&]<class T>() {
    launch_group_norm<T>(op.groups, op.eps, inputs[GroupNorm::kX].view<const T>(),
                         view_of<float>(inputs, GroupNorm::kGamma),
                         view_of<float>(inputs, GroupNorm::kBeta), y.view<T>());
  });
}

void batch_statistics_cuda(View<const float> x, View<float> y, Scratch) {
  launch_batch_statistics(x, y);
}

void batch_norm_cuda(float eps, View<const float> x, View<const float> statistics,
                     View<const float> gamma, View<const float> beta, View<float> y, Scratch) {
  launch_batch_norm(eps, x, statistics, gamma, beta, y);
}

void adaptive_instance_norm_cuda(float eps, View<const float> x, View<const float> style,
                                 View<float> y) {
  launch_adaptive_instance_norm(eps, x, style, y);
}

void global_response_norm_cuda(const op::GlobalResponseNorm& norm, View<const float> x,
                               View<const float> gamma, View<const float> beta, View<float> y,
                               Scratch) {
  launch_global_response_norm(norm.eps, x, gamma, beta, y);
}

void demodulate_cuda(const op::Demodulate& op, View<const float> weight, View<const float> style,
                     View<float> y) {
  launch_demodulate(op.eps, weight, style, y);
}

}  // namespace mend
