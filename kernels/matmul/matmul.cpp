#include "kernels/matmul/matmul.h"

#include <algorithm>
#include <cassert>

#include "kernels/matmul/variants.h"

namespace mend {
namespace {

double panels_seconds(const op::Matmul& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return std::max(cost.flops / NominalMachine::kFlopsPerSecond,
                  cost.bytes / NominalMachine::kBytesPerSecond);
}

// clang-format off
constexpr Variant<op::Matmul, MatmulKernel> kLadder[] = {
    // name               device             can it?                   time                       error  entry
    {"matmul/reference",  DeviceKind::kCpu,  never_refuses,            slowest,                   0,     matmul_reference},
    {"matmul/panels",     DeviceKind::kCpu,  never_refuses,            panels_seconds,            1e-5,  matmul_panels},
#ifdef MEND_HAS_CUDA
    {"matmul/cuda_naive", DeviceKind::kCuda, never_refuses,            matmul_cuda_naive_seconds, 1e-5,  matmul_cuda_naive},
    {"matmul/cuda_tiled", DeviceKind::kCuda, never_refuses,            matmul_cuda_tiled_seconds, 1e-5,  matmul_cuda_tiled},
    {"matmul/cuda_tf32",  DeviceKind::kCuda, matmul_cuda_tf32_refuses, matmul_cuda_tf32_seconds,  1e-3,  matmul_cuda_tf32},
#endif
};
// clang-format on

/// The larger of two extents that are equal or of which one is 1; 0 if they are neither.
int broadcast(int a, int b) { return a == b || b == 1 ? a : a == 1 ? b : 0; }

}  // namespace

std::span<const Variant<op::Matmul, MatmulKernel>> matmul_ladder() { return kLadder; }

namespace op {

Shape Matmul::shape(const Shapes& in) const {
  assert(in.size() == 2);
  const Shape &a = in[kA], &b = in[kB];
  const int inner_b = transpose_b ? b.c : b.w;
  const Shape y{broadcast(a.n, b.n), broadcast(a.h, b.h), rows(in), columns(in)};
  if (inner(in) != inner_b || y.n == 0 || y.h == 0) {
    throw ShapeError(fmt::format(
        "matmul: {}{} and {}{} do not fit: the inner extents are {} and {}, the outer two must be "
        "equal or 1",
        to_string(a), transpose_a ? " transposed" : "", to_string(b),
        transpose_b ? " transposed" : "", inner(in), inner_b));
  }
  return y;
}

Cost Matmul::cost(const Shapes& in) const {
  const double y = static_cast<double>(shape(in).elements());
  const double moved = static_cast<double>(in[kA].elements() + in[kB].elements()) + y;
  return {2 * y * inner(in), sizeof(float) * moved};
}

/// Every row sees all columns of b, or all of a row of a, wherever in the image they come from.
Footprint Matmul::footprint(const Shapes&) const { return {.global = true}; }

std::string Matmul::describe() const {
  return fmt::format("{}{}", transpose_a ? "t" : "n", transpose_b ? "t" : "n");
}

std::int64_t Matmul::scratch_bytes(const Shapes& in) const {
  return matmul_panels_scratch(*this, in);
}

void Matmul::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(matmul_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kA].view<const float>(), inputs[kB].view<const float>(),
              y.view<float>(), scratch);
}

}  // namespace op
}  // namespace mend
