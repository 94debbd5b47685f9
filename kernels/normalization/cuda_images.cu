// The normalizations over images and batches: sums over pixels, from which a small kernel makes a factor and an
// offset for each channel of each image, then one pass over the pixels.
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/each_element.cuh"
#include "kernels/normalization/cuda.h"
#include "kernels/normalization/cuda_image_sums.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;

/// y = (x − mean) · factor + offset: [image][channel] each. `mean` is a mean rounded to f32, what it lacks is
/// in the offset.
struct ChannelFactors {
  float *mean, *factor, *offset;
  int channels;

  __device__ void write(int image, int c, double true_mean, double scale, double shift) const {
    const std::int64_t at = std::int64_t{image} * channels + c;
    mean[at] = static_cast<float>(true_mean);
    factor[at] = static_cast<float>(scale);
    offset[at] = static_cast<float>(shift + (mean[at] - true_mean) * scale);
  }
};

struct Normalized {
  __device__ float operator()(const float (&in)[4]) const {
    return fmaf(in[0] - in[1], in[2], in[3]);
  }
};

/// The vectors of a ChannelFactors in the GPU's memory.
class FactorMemory {
 public:
  explicit FactorMemory(const Shape& x)
      : shape_{x.n, 1, 1, x.c},
        memory_(Tensor::empty({3, x.n, 1, x.c}, DType::kF32, current_cuda_device())) {}

  ChannelFactors factors() const {
    return {vector(0).data, vector(1).data, vector(2).data, shape_.c};
  }
  template <class T>
  void apply_to(const View<const T>& x, const View<T>& y) const {
    launch_each_element<T, float>("normalization by factors", x, {vector(0), vector(1), vector(2)},
                                  y, Normalized{});
  }

 private:
  View<float> vector(int i) const {
    View<float> view = memory_.view<float>();
    view.data += i * view.n_stride;
    return {view.data, shape_, shape_.c, shape_.c, shape_.c};
  }

  Shape shape_;
  Tensor memory_;
};

/// A warp for each group of each image: finish(image, group, lane).
template <class Finish>
__global__ void __launch_bounds__(kThreads, 4) each_group(int images, int groups, Finish finish) {
  const std::int64_t warp = std::int64_t{blockIdx.x} * kWarps + static_cast<int>(threadIdx.x) / 32;
  const int image = static_cast<int>(warp / groups);
  if (image >= images) return;
  finish(image, static_cast<int>(warp % groups), static_cast<int>(threadIdx.x) % 32);
}

template <class Finish>
void launch_each_group(const char* kernel, int images, int groups, const Finish& finish) {
  const std::int64_t warps = std::int64_t{images} * groups;
  each_group<<<static_cast<unsigned>((warps + kWarps - 1) / kWarps), kThreads, 0,
               current_cuda_device().stream()>>>(images, groups, finish);
  cuda_check(cudaGetLastError(), kernel);
}

template <class T>
struct FinishGroupNorm {
  ImageSums<T> sums;
  const float *gamma, *beta;
  double eps;
  ChannelFactors to;

  __device__ void operator()(int image, int group, int lane) const {
    const auto moments = sums.moments(image, group, lane);
    const double factor = 1 / sqrt(moments.variance + eps);
    for (int k = lane; k < sums.width; k += 32) {
      const int c = group * sums.width + k;
      to.write(image, c, moments.mean, factor * (gamma != nullptr ? gamma[c] : 1.0f),
               beta != nullptr ? beta[c] : 0.0f);
    }
  }
};

struct FinishBatchStatistics {
  ImageSums<float> sums;
  float *mean, *variance;

  __device__ void operator()(int image, int c, int lane) const {
    const auto moments = sums.moments(image, c, lane);
    if (lane != 0) return;
    mean[c] = static_cast<float>(moments.mean);
    variance[c] = static_cast<float>(moments.variance);
  }
};

struct FinishAdaptive {
  ImageSums<float> own, lent;
  double eps;
  ChannelFactors to;

  __device__ static double deviation(const ImageSums<float>& of, double variance, double eps) {
    return sqrt(variance * of.count / (of.count - 1) + eps);
  }
  __device__ void operator()(int image, int c, int lane) const {
    const auto mine = own.moments(image, c, lane), style = lent.moments(image, c, lane);
    if (lane != 0) return;
    const double factor = deviation(lent, style.variance, eps) / deviation(own, mine.variance, eps);
    to.write(image, c, mine.mean, factor, style.mean);
  }
};

/// g[n,c] = √Σx²
struct FinishResponse {
  ImageSums<float> sums;
  float* response;

  __device__ void operator()(int image, int c, int lane) const {
    const double squares = sums.sums(image, c, lane).squares;
    if (lane == 0)
      response[std::int64_t{image} * sums.groups + c] = static_cast<float>(sqrt(squares));
  }
};

/// From g[n,c] to gamma[c] · g[n,c] / (mean(g) + eps) + 1, in place; a block an image.
__global__ void __launch_bounds__(kThreads)
    global_response_factors(float* factor, int C, const float* gamma, double eps) {
  __shared__ double of_warps[kWarps];
  float* const to = factor + std::int64_t{blockIdx.x} * C;
  double sum = 0;
  for (int c = static_cast<int>(threadIdx.x); c < C; c += kThreads) sum += to[c];
#pragma unroll
  for (int other = 16; other > 0; other /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, other);
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = sum;
  __syncthreads();
  double mean = 0;
#pragma unroll
  for (int i = 0; i < kWarps; ++i) mean += of_warps[i];
  mean /= C;
  for (int c = static_cast<int>(threadIdx.x); c < C; c += kThreads) {
    to[c] = static_cast<float>(gamma[c] * to[c] / (mean + eps) + 1);
  }
}

struct Scaled {
  __device__ float operator()(const float (&in)[3]) const { return fmaf(in[0], in[1], in[2]); }
};

struct BatchNormed {
  float eps;
  bool has_gamma, has_beta;

  /// x, mean, variance, then gamma and beta if they are there.
  template <int kInputs>
  __device__ float operator()(const float (&in)[kInputs]) const {
    float factor = rsqrtf(in[2] + eps), offset = 0;
    if constexpr (kInputs > 3) {
      if (has_gamma) factor *= in[3];
      if (has_beta) offset = in[kInputs - 1];
    }
    return fmaf(in[0] - in[1], factor, offset);
  }
};

}  // namespace

template <class T>
void launch_group_norm(int groups, float eps, View<const T> x, View<const float> gamma,
                       View<const float> beta, View<T> y) {
  Tensor parts;
  const ImageSums<T> sums = launch_image_sums(x, groups, false, parts);
  const FactorMemory memory(x.shape);
  launch_each_group("group_norm", sums.images, groups,
                    FinishGroupNorm<T>{sums, gamma.data, beta.data, eps, memory.factors()});
  memory.apply_to(x, y);
}
template void launch_group_norm(int, float, View<const float>, View<const float>, View<const float>,
                                View<float>);
template void launch_group_norm(int, float, View<const Half>, View<const float>, View<const float>,
                                View<Half>);
template void launch_group_norm(int, float, View<const BFloat16>, View<const float>,
                                View<const float>, View<BFloat16>);

void launch_batch_statistics(View<const float> x, View<float> y) {
  Tensor parts;
  const ImageSums<float> sums = launch_image_sums(x, x.shape.c, true, parts);
  launch_each_group("batch_statistics", 1, x.shape.c,
                    FinishBatchStatistics{sums, y.data, y.data + y.w_stride});
}

void launch_batch_norm(float eps, View<const float> x, View<const float> statistics,
                       View<const float> gamma, View<const float> beta, View<float> y) {
  View<const float> mean = statistics;
  mean.shape.w = 1;
  View<const float> variance = mean;
  variance.data += statistics.w_stride;
  const BatchNormed f{eps, static_cast<bool>(gamma), static_cast<bool>(beta)};
  constexpr auto kName = "batch_norm";
  if (gamma && beta) return launch_each_element(kName, {x, mean, variance, gamma, beta}, y, f);
  if (gamma || beta) {
    return launch_each_element(kName, {x, mean, variance, gamma ? gamma : beta}, y, f);
  }
  launch_each_element(kName, {x, mean, variance}, y, f);
}

void launch_adaptive_instance_norm(float eps, View<const float> x, View<const float> style,
                                   View<float> y) {
  Tensor parts, style_parts;
  const ImageSums<float> own = launch_image_sums(x, x.shape.c, false, parts);
  const ImageSums<float> lent = launch_image_sums(style, x.shape.c, false, style_parts);
  const FactorMemory memory(x.shape);
  launch_each_group("adaptive_instance_norm", own.images, x.shape.c,
                    FinishAdaptive{own, lent, eps, memory.factors()});
  memory.apply_to(x, y);
}

void launch_global_response_norm(float eps, View<const float> x, View<const float> gamma,
                                 View<const float> beta, View<float> y) {
  constexpr auto kName = "global_response_norm";
  Tensor parts;
  const ImageSums<float> squares = launch_image_squares(x, parts);
  const Shape each{x.shape.n, 1, 1, x.shape.c};
  CudaDevice& device = current_cuda_device();
  const Tensor factor = Tensor::empty(each, DType::kF32, device);
  float* const factors = factor.view<float>().data;
  launch_each_group(kName, squares.images, each.c, FinishResponse{squares, factors});
  global_response_factors<<<static_cast<unsigned>(squares.images), kThreads, 0, device.stream()>>>(
      factors, each.c, gamma.data, eps);
  cuda_check(cudaGetLastError(), kName);
  launch_each_element(kName, {x, factor.view<const float>(), beta}, y, Scaled{});
}

}  // namespace mend
