// The host's side of the CUDA rungs: what they refuse, their modelled time, and from op::NormLinear to a launch.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/conv2d/cuda_call.h"
#include "kernels/conv2d/variant.h"
#include "kernels/cuda/machine.h"
#include "kernels/inputs.h"
#include "kernels/norm_linear/cuda.h"
#include "kernels/norm_linear/cuda_plan.h"
#include "kernels/norm_linear/norm_linear.h"

namespace mend {
namespace {

using Op = op::NormLinear;

NormLinearProblem problem_of(const Op& op, const Shapes& in) {
  const Shape& x = in[Op::kX];
  return {std::int64_t{x.n} * x.h * x.w, op.linear.outputs, x.c, size_of(op.dtype())};
}

/// For every GPU alike.
std::string refuses_long_rows(const Op& op, const Shapes& in) {
  if (norm_linear_plan(problem_of(op, in), kGemmSmallShared)) return {};
  return fmt::format("a block has no room for rows of {} channels of {}", in[Op::kX].c,
                     name_of(op.dtype()));
}

void launch(void (*kernel)(const CudaNormLinearCall& call), const Op& op, Inputs inputs,
            const Tensor& y) {
  kernel({cuda_conv2d_call(op.linear, inputs, y), op.norm.eps, op.norm.subtract_mean,
          input_at(inputs, Op::kGamma), input_at(inputs, Op::kBeta)});
}

}  // namespace

std::string norm_linear_cuda_tf32_refuses(const Op& op, const Shapes& in) {
  const std::string why = conv2d_cuda_tf32_gemm_refuses(op.linear, in);
  return why.empty() ? refuses_long_rows(op, in) : why;
}

std::string norm_linear_cuda_f16_refuses(const Op& op, const Shapes& in) {
  const std::string why = conv2d_cuda_f16_gemm_refuses(op.linear, in);
  return why.empty() ? refuses_long_rows(op, in) : why;
}

double norm_linear_cuda_seconds(const Op& op, const Shapes& in) {
  return std::max(norm_linear_plan(problem_of(op, in))->seconds,
                  op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

void norm_linear_cuda_tf32(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_norm_linear_tf32, op, inputs, y);
}

void norm_linear_cuda_f16(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_norm_linear_f16, op, inputs, y);
}

}  // namespace mend
