// LayerNorm, PixelNorm, L2Normalize and Softmax.
#include "engine/cuda/cuda_device.h"
#include "kernels/normalization/cuda.h"
#include "kernels/normalization/cuda_measure.cuh"

namespace mend {
namespace {

template <class T>
struct PixelNormWork {
  static constexpr int kMostHeld = sizeof(T) == 4 ? 32 : 8;  // 32 of 16 bits would spill
  PixelMeasure measure;
  float eps;
  View<const T> x;
  const float *gamma, *beta;
  View<T> y;

  template <class Lane>
  __device__ void operator()(const Lane& lane) const {
    const LineOf<Lane, T> line(x, lane);
    const Measured m = measured(measure, eps, line, lane);
    lane.each([&](int i, int unit) {
      auto values = line.at(i, unit);
      const auto factor = channels_at<Lane>(gamma, unit, 1);
      const auto offset = channels_at<Lane>(beta, unit, 0);
#pragma unroll
      for (int e = 0; e < Lane::kNumbers; ++e) {
        values.of[e] = fmaf(m.normal(values.of[e]), factor.of[e], offset.of[e]);
      }
      store(y, lane, unit, values);
    });
  }
};

struct SoftmaxWork {
  View<const float> x;
  View<float> y;

  template <class Lane>
  __device__ void operator()(const Lane& lane) const {
    LineOf<Lane, float> line(x, lane);
    float most = -INFINITY;  // fmaxf passes over a NaN, which the sum then has
    lane.each([&](int i, int unit) {
      const auto values = line.at(i, unit);
#pragma unroll
      for (int e = 0; e < Lane::kNumbers; ++e) most = fmaxf(most, values.of[e]);
    });
    most = lane.most(most);
    float sum = 0;
    lane.each([&](int i, int unit) {
      auto values = line.at(i, unit);
#pragma unroll
      for (int e = 0; e < Lane::kNumbers; ++e) {
        values.of[e] = expf(values.of[e] - most);
        sum += values.of[e];
      }
      line.keep(i, values);
    });
    const float factor = 1 / lane.sum(sum);
    lane.each([&](int i, int unit) {
      auto values = line.at(i, unit);
#pragma unroll
      for (int e = 0; e < Lane::kNumbers; ++e) {
        if constexpr (Lane::kHeld == 0) values.of[e] = expf(values.of[e] - most);
        values.of[e] *= factor;
      }
      store(y, lane, unit, values);
    });
  }
};

}  // namespace

template <class T>
void launch_pixel_norm(PixelMeasure measure, float eps, View<const T> x, View<const float> gamma,
                       View<const float> beta, View<T> y) {
  const bool wide = x.shape.c % kWideUnit == 0 && runs<kWideUnit>(x) && runs<kWideUnit>(y) &&
                    starts_a_unit(gamma.data) && starts_a_unit(beta.data);
  launch_lines("pixel norm", PixelNormWork<T>{measure, eps, x, gamma.data, beta.data, y}, x.shape,
               wide, current_cuda_device().stream());
}
template void launch_pixel_norm(PixelMeasure, float, View<const float>, View<const float>,
                                View<const float>, View<float>);
template void launch_pixel_norm(PixelMeasure, float, View<const Half>, View<const float>,
                                View<const float>, View<Half>);
template void launch_pixel_norm(PixelMeasure, float, View<const BFloat16>, View<const float>,
                                View<const float>, View<BFloat16>);

void launch_softmax(View<const float> x, View<float> y) {
  const bool wide = x.shape.c % kWideUnit == 0 && runs<kWideUnit>(x) && runs<kWideUnit>(y);
  launch_lines("softmax", SoftmaxWork{x, y}, x.shape, wide, current_cuda_device().stream());
}

}  // namespace mend
