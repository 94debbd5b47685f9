// What a rung of the conv_transpose2d ladder is.
#pragma once

#include "engine/op.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"

namespace mend {

/// One call of a rung; op::ConvTranspose2d says what the letters mean. Absent operands have no data.
struct ConvTranspose2dCall {
  const op::ConvTranspose2d& op;
  View<const float> x;
  View<const float> weight;  ///< as the rung's pack left it; [K,R,S,C/groups] if it has none
  View<const float> bias, slope;
  View<float> y;
  Scratch scratch;
};

struct ConvTranspose2dKernel {
  /// How the rung wants the weight, and what makes it so; null: it takes [K,R,S,C/groups].
  Shape (*packed_shape)(const op::ConvTranspose2d& op, const Shape& weight) = nullptr;
  void (*pack)(const op::ConvTranspose2d& op, View<const float> weight,
               View<float> packed) = nullptr;
  /// Working memory of one run; null: none. Grows with threads(), so ask under the count that runs.
  std::int64_t (*scratch_bytes)(const op::ConvTranspose2d& op, const Shapes& in) = nullptr;
  void (*run)(const ConvTranspose2dCall& call) = nullptr;
  /// Of a rung on a GPU, in place of pack and run: x and y are of op.type, the packed weight too.
  void (*launch_pack)(const op::ConvTranspose2d& op, const Tensor& weight,
                      const Tensor& packed) = nullptr;
  void (*launch)(const op::ConvTranspose2d& op, Inputs inputs, const Tensor& y) = nullptr;

  bool packs() const { return packed_shape != nullptr; }
};

// The rungs; ladder.cpp lists them.

void conv_transpose2d_reference(const ConvTranspose2dCall& call);

double conv_transpose2d_direct_seconds(const op::ConvTranspose2d& op, const Shapes& in);
Shape conv_transpose2d_direct_packed_shape(const op::ConvTranspose2d& op, const Shape& weight);
void conv_transpose2d_direct_pack(const op::ConvTranspose2d& op, View<const float> weight,
                                  View<float> packed);
std::int64_t conv_transpose2d_direct_scratch_bytes(const op::ConvTranspose2d& op, const Shapes& in);
void conv_transpose2d_direct(const ConvTranspose2dCall& call);

// On a GPU; only in a build with CUDA. kernels/conv_transpose2d/cuda_rungs.cpp.

double conv_transpose2d_cuda_naive_seconds(const op::ConvTranspose2d& op, const Shapes& in);
void conv_transpose2d_cuda_naive(const op::ConvTranspose2d& op, Inputs inputs, const Tensor& y);

std::string conv_transpose2d_cuda_tiled_refuses(const op::ConvTranspose2d& op, const Shapes& in);
double conv_transpose2d_cuda_tiled_seconds(const op::ConvTranspose2d& op, const Shapes& in);
void conv_transpose2d_cuda_tiled(const op::ConvTranspose2d& op, Inputs inputs, const Tensor& y);

std::string conv_transpose2d_cuda_gemm_refuses(const op::ConvTranspose2d& op, const Shapes& in);
double conv_transpose2d_cuda_gemm_seconds(const op::ConvTranspose2d& op, const Shapes& in);
Shape conv_transpose2d_cuda_gemm_packed_shape(const op::ConvTranspose2d& op, const Shape& weight);
void conv_transpose2d_cuda_gemm_pack(const op::ConvTranspose2d& op, const Tensor& weight,
                                     const Tensor& packed);
void conv_transpose2d_cuda_gemm(const op::ConvTranspose2d& op, Inputs inputs, const Tensor& y);

}  // namespace mend
