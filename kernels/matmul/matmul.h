// Matrix products of two computed tensors. A product with a parameter, a linear layer, is a 1x1
// op::Conv2d, which has an epilogue and a packed weight.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {
namespace op {

/// A product of matrices for each n and h.
///
///   y[n,h,i,j] = Σ_k a[n,h,i,k] · b[n,h,k,j]        i < M,  k < K,  j < N
///
/// a [B,H,M,K], or [B,H,K,M] with transpose_a   b [B,H,K,N], or [B,H,N,K] with transpose_b
/// -> y [B,H,M,N]. Where B or H is 1 in a or b, the same matrices serve all.
/// Throws ShapeError if the K differ, or B or H are neither equal nor 1.
/// Equals torch.matmul on [B,H,rows,columns].
struct Matmul {
  static constexpr std::string_view kName = "matmul";
  static constexpr bool kOnGpu = true;
  enum Slot { kA, kB };

  bool transpose_a = false, transpose_b = false;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;

  /// M, K and N of these inputs.
  int rows(const Shapes& in) const { return transpose_a ? in[kA].c : in[kA].w; }
  int inner(const Shapes& in) const { return transpose_a ? in[kA].w : in[kA].c; }
  int columns(const Shapes& in) const { return transpose_b ? in[kB].w : in[kB].c; }
};

}  // namespace op

using MatmulKernel = void (*)(const op::Matmul& op, View<const float> a, View<const float> b,
                              View<float> y, Scratch scratch);
std::span<const Variant<op::Matmul, MatmulKernel>> matmul_ladder();

}  // namespace mend
