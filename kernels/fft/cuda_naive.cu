// One pass of the two-dimensional transform, number by number: the sum of the definition, in double, with a table of
// roots. A line of n numbers costs n² multiplications; for lines that cuda_lines does not take.
#include "engine/cuda/check.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/fft/cuda.h"

namespace mend {
namespace {

constexpr int kThreads = 256;

struct Pass {
  FftCall call;
  FastDivider channels, outputs, across;
  int count;  ///< numbers of an image's result

  __device__ const float* from(int i, int j) const {
    return call.x + blockIdx.y * call.from.image + i * call.from.down + j * call.from.across;
  }
};

struct ComplexSum {
  double re = 0, im = 0;

  __device__ void add(double x_re, double x_im, double root_re, double root_im) {
    re += x_re * root_re - x_im * root_im;
    im += x_re * root_im + x_im * root_re;
  }
};

template <FftPass kPass>
__global__ void __launch_bounds__(kThreads) transform_naive(const __grid_constant__ Pass pass) {
  const int index = blockIdx.x * kThreads + threadIdx.x;
  if (index >= pass.count) return;
  const FftCall& call = pass.call;
  const auto [number, c] = pass.channels(index);
  const auto [line, output] = pass.outputs(number);
  const auto [i, j] = pass.across(line);
  const float* x = pass.from(i, j) + (kPass == FftPass::kRows ? c : 2 * c);
  float* y = call.y + blockIdx.y * call.to.image + i * call.to.down + j * call.to.across +
             output * call.to.step;
  constexpr bool kInverse = kPass == FftPass::kInverseColumns || kPass == FftPass::kInverseRows;
  const int terms = kPass == FftPass::kInverseRows ? call.length / 2 + 1 : call.length;
  ComplexSum sum;
  int root = 0;  // e · output mod length
  for (int e = 0; e < terms; ++e) {
    const float* at = x + e * call.from.step;
    const double re = call.roots[2 * root], im = call.roots[2 * root + 1];
    if constexpr (kPass == FftPass::kRows) {
      sum.add(at[0], 0, re, im);
    } else if constexpr (kPass == FftPass::kInverseRows) {
      const bool alone = e == 0 || 2 * e == call.length;  // only the real part counts
      sum.add(alone ? at[0] : 2.0 * at[0], alone ? 0 : 2.0 * at[1], re, -im);
    } else {
      sum.add(at[0], at[1], re, kInverse ? -im : im);
    }
    root += output;
    if (root >= call.length) root -= call.length;
  }
  if constexpr (kPass == FftPass::kInverseRows) {
    y[c] = static_cast<float>(call.scale * sum.re);
  } else {
    y[2 * c] = static_cast<float>(call.scale * sum.re);
    y[2 * c + 1] = static_cast<float>(call.scale * sum.im);
  }
}

}  // namespace

void launch_fft_naive(const FftCall& call, cudaStream_t stream) {
  const int outputs = call.pass == FftPass::kRows ? call.length / 2 + 1 : call.length;
  const Pass pass{call, FastDivider(call.channels), FastDivider(outputs), FastDivider(call.across),
                  call.down * call.across * outputs * call.channels};
  const auto launch = [&](auto run) {
    run<<<dim3(divide_up(pass.count, kThreads), call.images), kThreads, 0, stream>>>(pass);
    cuda_check(cudaGetLastError(), "fft/cuda_naive");
  };
  switch (call.pass) {
    case FftPass::kRows:
      return launch(transform_naive<FftPass::kRows>);
    case FftPass::kColumns:
      return launch(transform_naive<FftPass::kColumns>);
    case FftPass::kInverseColumns:
      return launch(transform_naive<FftPass::kInverseColumns>);
    case FftPass::kInverseRows:
      return launch(transform_naive<FftPass::kInverseRows>);
  }
}

}  // namespace mend
