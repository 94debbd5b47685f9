// The host's side of the CUDA rungs: what they refuse, their modelled time, and from op::Matmul to a launch.
#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/machine.h"
#include "kernels/cuda/refuses.h"
#include "kernels/matmul/cuda.h"
#include "kernels/matmul/variants.h"

namespace mend {
namespace {

constexpr double kClock = 1.7e9, kLaunch = 1.5e-6;

CudaMatmulCall call_of(const op::Matmul& op, View<const float> a, View<const float> b,
                       View<float> y) {
  return {op.transpose_a,
          op.transpose_b,
          op.inner({a.shape, b.shape}),
          a,
          b,
          y,
          current_cuda_device().stream()};
}

}  // namespace

/// Two loads an FMA, and a thread's sum is one chain: 20 cycles a link where few warps hide L2.
double matmul_cuda_naive_seconds(const op::Matmul& op, const Shapes& in) {
  return std::max(op.cost(in).flops / 2 * (4 + 4) / NominalGpu::kCachedBytesPerSecond,
                  op.inner(in) * 20 / kClock) +
         kLaunch;
}

/// Half of the peak, whole tiles; a block needs 128 cycles for a k however few there are.
double matmul_cuda_tiled_seconds(const op::Matmul& op, const Shapes& in) {
  const Shape y = op.shape(in);
  const int K = op.inner(in), splits = matmul_tiled_splits(y, K);
  const double tiles = static_cast<double>(y.n) * y.h * divide_up(y.w, kMatmulTileRows) *
                       divide_up(y.c, kMatmulTileColumns);
  const double flops = 2.0 * tiles * kMatmulTileRows * kMatmulTileColumns * K;
  double seconds =
      std::max({flops / (0.5 * NominalGpu::kFlopsPerSecond), divide_up(K, splits) * 128 / kClock,
                op.cost(in).bytes / NominalGpu::kBytesPerSecond});
  if (splits > 1) {
    seconds +=
        kLaunch + 8.0 * static_cast<double>(y.elements()) * splits / NominalGpu::kBytesPerSecond;
  }
  return seconds + kLaunch;
}

/// Products with a vector, and means as products, are left to f32.
std::string matmul_cuda_tf32_refuses(const op::Matmul& op, const Shapes& in) {
  if (std::min({op.rows(in), op.inner(in), op.columns(in)}) < 8) {
    return "needs 8 rows, columns and inner extents";
  }
  return refuses_before_ampere();
}

double matmul_cuda_tf32_seconds(const op::Matmul& op, const Shapes& in) {
  return std::max(gemm_plan(matmul_tf32_problem(op.shape(in), op.inner(in))).seconds,
                  op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

void matmul_cuda_naive(const op::Matmul& op, View<const float> a, View<const float> b,
                       View<float> y, Scratch) {
  launch_matmul_naive(call_of(op, a, b, y));
}
void matmul_cuda_tiled(const op::Matmul& op, View<const float> a, View<const float> b,
                       View<float> y, Scratch) {
  launch_matmul_tiled(call_of(op, a, b, y));
}
void matmul_cuda_tf32(const op::Matmul& op, View<const float> a, View<const float> b, View<float> y,
                      Scratch) {
  launch_matmul_tf32(call_of(op, a, b, y));
}

}  // namespace mend
