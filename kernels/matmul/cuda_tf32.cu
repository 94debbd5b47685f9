// A matrix product on tensor cores, in TF32 with f32 sums: the pipeline of kernels/cuda/gemm.cuh over the
// matrices of a batch. Rows whose inner extent is k are read by ldmatrix, others number by number; neither is
// transposed in memory.
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/add_parts.cuh"
#include "kernels/cuda/gemm.cuh"
#include "kernels/matmul/cuda.h"
#include "kernels/matmul/cuda_place.cuh"

namespace mend {
namespace {

using MatrixRows = gemm::MatrixRows<float>;

MatrixRows rows_of(const View<const float>& view, const FastDivider& inner) {
  MatrixRows rows{};
  rows.data = view.data;
  rows.rows = view.shape.w;
  rows.columns = view.shape.c;
  rows.row_stride = static_cast<int>(view.w_stride);
  rows.outer_stride = view.shape.n == 1 ? 0 : view.n_stride;
  rows.inner_stride = view.shape.h == 1 ? 0 : view.h_stride;
  rows.inner = inner;
  rows.granule = gemm::granule_of(view);
  return rows;
}

}  // namespace

GemmProblem matmul_tf32_problem(const Shape& y, int inner) {
  return {y.w, y.c, divide_up(inner, gemm_depth(sizeof(float))), y.n * y.h, true};
}

void launch_matmul_tf32(const CudaMatmulCall& call) {
  constexpr const char* kName = "matmul/cuda_tf32";
  const View<float>& y = call.y;
  const Shape& s = y.shape;
  const FastDivider inner(s.h);
  const MatrixRows a = rows_of(call.a, inner), b = rows_of(call.b, inner);
  const GemmProblem problem = matmul_tf32_problem(s, call.inner);
  const GemmPlan plan = gemm_plan(problem);

  gemm::Store store{
      y.data, s.w, s.c, y.w_stride, y.n_stride, y.h_stride, 0, inner, runs<2>(y) && s.c % 2 == 0};
  Tensor parts;
  if (plan.splits > 1) {
    parts = Tensor::empty({plan.splits, s.n * s.h, s.w, s.c}, DType::kF32, current_cuda_device());
    store.data = parts.view<float>().data;
    store.row_stride = s.c;
    store.inner_stride = std::int64_t{s.w} * s.c;
    store.outer_stride = s.h * store.inner_stride;
    store.split_stride = s.n * store.outer_stride;
    store.runs = s.c % 2 == 0;
  }
  const auto launch = [&]<bool kADepthInner, bool kBDepthInner>() {
    gemm::launch<kADepthInner, kBDepthInner, true, false>(
        kName, a, b, store, {s.w, s.c, problem.batches, problem.chunks, problem.chunks}, plan,
        call.stream);
  };
  if (call.transpose_a) {
    call.transpose_b ? launch.template operator()<false, true>()
                     : launch.template operator()<false, false>();
  } else {
    call.transpose_b ? launch.template operator()<true, true>()
                     : launch.template operator()<true, false>();
  }
  if (plan.splits > 1) {
    launch_add_parts(store.data, plan.splits, s.elements(), PlaceInMatrices{y}, call.stream);
  }
}

}  // namespace mend
