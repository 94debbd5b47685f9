// The gradient of a convolution's weight as a matrix product on tensor cores, in TF32 with f32 sums: for each tap
//
//   y[k,c] = Σ_pixels dy[pixel,k] · x[the pixel that the tap sees,c]
//
// What limits cuda_tf32 where a kernel has one tap, so in all linear layers of a transformer: it loads fragments for
// all taps, and with one of them each serves a few mma. The pipeline of kernels/cuda/gemm.cuh has tiles of up
// to 128 x 128 weights, which read each number for 64 products and more; each tap reads x and dy again, from L2.
//
// There are few weights and many pixels: the pixels are cut into parts, whose sums are added by a second kernel.
#include "kernels/conv2d/cuda_pixel_rows.cuh"
#include "kernels/conv2d/cuda_weight_gradient.h"
#include "kernels/cuda/add_parts.cuh"
#include "kernels/cuda/gemm.cuh"

namespace mend {
namespace {

/// Of parts [K,C] for each tap.
struct PlaceInWeight {
  View<float> y;
  __device__ void operator()(std::int64_t element, float sum) const {
    const int c = static_cast<int>(element % y.shape.c);
    const std::int64_t row = element / y.shape.c;
    const int k = static_cast<int>(row % y.shape.n), tap = static_cast<int>(row / y.shape.n);
    pixel_of(y, k, tap / y.shape.w, tap % y.shape.w)[c] = sum;
  }
};

}  // namespace

GemmProblem weight_gradient_tf32_gemm_problem(const CudaWeightGradientParameters& op,
                                              const Shape& x, const Shape& dy) {
  constexpr int kDepth = gemm_depth(sizeof(float));
  const std::int64_t pixels = std::int64_t{dy.n} * dy.h * dy.w;
  return {dy.c, x.c, static_cast<int>((pixels + kDepth - 1) / kDepth), op.kernel_h * op.kernel_w,
          true};
}

void launch_weight_gradient_tf32_gemm(const CudaWeightGradientCall& call) {
  const CudaWeightGradientParameters& op = call.parameters;
  const View<const float> x = call.x.view<const float>(), dy = call.dy.view<const float>();
  const View<float> y = call.y.view<float>();
  const int K = dy.shape.c, C = x.shape.c;
  constexpr PaddingMode kZeros = PaddingMode::kZeros;
  // dy itself, whatever the tap.
  constexpr CudaWeightGradientParameters kSame{1, 1, 1, 0, 0, 0, 1};
  const gemm::PixelRows<float> a = rows_of(dy, dy.shape, kSame, kZeros);
  const gemm::PixelRows<float> b = rows_of(x, dy.shape, op, kZeros);
  const GemmProblem problem = weight_gradient_tf32_gemm_problem(op, x.shape, dy.shape);
  const GemmPlan plan = gemm_plan(problem);

  gemm::Store store{y.data,
                    K,
                    C,
                    y.n_stride,
                    y.h_stride,
                    y.w_stride,
                    0,
                    FastDivider(op.kernel_w),
                    runs<2>(y) && C % 2 == 0};
  Tensor parts;
  if (plan.splits > 1) {
    parts = Tensor::empty({plan.splits, problem.batches, K, C}, DType::kF32, call.y.device());
    store.data = parts.view<float>().data;
    store.row_stride = C;
    store.inner_stride = std::int64_t{K} * C;
    store.outer_stride = op.kernel_w * store.inner_stride;
    store.split_stride = problem.batches * store.inner_stride;
    store.runs = C % 2 == 0;
  }
  gemm::launch<false, false, true, false>("conv2d_weight_gradient/cuda_tf32_gemm", a, b, store,
                                          {K, C, problem.batches, problem.chunks, problem.chunks},
                                          plan, call.stream);
  if (plan.splits > 1) {
    launch_add_parts(store.data, plan.splits, y.shape.elements(), PlaceInWeight{y}, call.stream);
  }
}

}  // namespace mend
