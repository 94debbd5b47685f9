// The gradients of the normalizations over the channels of a pixel.
#include "engine/cuda/cuda_device.h"
#include "kernels/normalization/cuda.h"
#include "kernels/normalization/cuda_measure.cuh"

namespace mend {
namespace {

/// y = (g − mean(g) − u · share) / d; the formulas are op::PixelNormGradient's.
struct PixelNormGradientWork {
  PixelMeasure measure;
  float eps;
  View<const float> x, dy;
  const float* gamma;
  View<float> y;

  template <class Lane>
  __device__ typename Lane::Values gradient_at(const LineOf<Lane, float>& of_y, int i,
                                               int unit) const {
    auto values = of_y.at(i, unit);
    const auto factor = channels_at<Lane>(gamma, unit, 1);
#pragma unroll
    for (int e = 0; e < Lane::kNumbers; ++e) values.of[e] *= factor.of[e];
    return values;
  }

  template <class Lane>
  __device__ void operator()(const Lane& lane) const {
    const LineOf<Lane, float> line(x, lane), of_y(dy, lane);
    const Measured m = measured(measure, eps, line, lane);
    const float part = 1.0f / static_cast<float>(lane.channels);
    float sum = 0, products = 0;  // of g, and of g and the normal number
    lane.each([&](int i, int unit) {
      const auto values = line.at(i, unit);
      const auto g = gradient_at(of_y, i, unit);
#pragma unroll
      for (int e = 0; e < Lane::kNumbers; ++e) {
        sum += g.of[e];
        products = fmaf(g.of[e], m.normal(values.of[e]), products);
      }
    });
    const float mean = m.centred ? lane.sum(sum) * part : 0;
    products = lane.sum(products) * (measure == PixelMeasure::kLength ? 1 : part);
    const float share = m.too_short ? 0 : products;
    lane.each([&](int i, int unit) {
      auto values = line.at(i, unit);
      const auto g = gradient_at(of_y, i, unit);
#pragma unroll
      for (int e = 0; e < Lane::kNumbers; ++e) {
        values.of[e] = (g.of[e] - mean - m.distance(values.of[e]) * share) * m.factor;
      }
      store(y, lane, unit, values);
    });
  }
};

struct SoftmaxGradientWork {
  View<const float> softmax, dy;
  View<float> y;

  template <class Lane>
  __device__ void operator()(const Lane& lane) const {
    const LineOf<Lane, float> line(softmax, lane), of_y(dy, lane);
    float sum = 0;
    lane.each([&](int i, int unit) {
      const auto s = line.at(i, unit), g = of_y.at(i, unit);
#pragma unroll
      for (int e = 0; e < Lane::kNumbers; ++e) sum = fmaf(s.of[e], g.of[e], sum);
    });
    sum = lane.sum(sum);
    lane.each([&](int i, int unit) {
      const auto s = line.at(i, unit);
      auto g = of_y.at(i, unit);
#pragma unroll
      for (int e = 0; e < Lane::kNumbers; ++e) g.of[e] = s.of[e] * (g.of[e] - sum);
      store(y, lane, unit, g);
    });
  }
};

}  // namespace

void launch_pixel_norm_gradient(PixelMeasure measure, float eps, View<const float> x,
                                View<const float> dy, View<const float> gamma, View<float> y) {
  const bool wide = x.shape.c % kWideUnit == 0 && runs<kWideUnit>(x) && runs<kWideUnit>(dy) &&
                    runs<kWideUnit>(y) && starts_a_unit(gamma.data);
  launch_lines("pixel_norm_gradient", PixelNormGradientWork{measure, eps, x, dy, gamma.data, y},
               x.shape, wide, current_cuda_device().stream());
}

void launch_softmax_gradient(View<const float> softmax, View<const float> dy, View<float> y) {
  const bool wide = softmax.shape.c % kWideUnit == 0 && runs<kWideUnit>(softmax) &&
                    runs<kWideUnit>(dy) && runs<kWideUnit>(y);
  launch_lines("softmax_gradient", SoftmaxGradientWork{softmax, dy, y}, softmax.shape, wide,
               current_cuda_device().stream());
}

}  // namespace mend
