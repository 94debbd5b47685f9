// What a rung of the conv2d ladder is.
#pragma once

#include "engine/op.h"
#include "kernels/conv2d/conv2d.h"

namespace mend {

/// One call of a rung on images of T; op::Conv2d says what the letters mean. Absent operands have no data.
template <class T>
struct TypedConv2dCall {
  const op::Conv2d& op;
  View<const T> x;
  View<const float> weight;  ///< as the rung's pack left it; [K,R,S,C/groups] if it has none
  View<const float> bias, slope;
  View<const T> residual;
  View<T> y;
  Scratch scratch;
};
using Conv2dCall = TypedConv2dCall<float>;

struct Conv2dKernel {
  /// How the rung wants the weight, and what makes it so; null: it takes [K,R,S,C/groups].
  Shape (*packed_shape)(const op::Conv2d& op, const Shape& weight) = nullptr;
  void (*pack)(const op::Conv2d& op, View<const float> weight, View<float> packed) = nullptr;
  /// Working memory of one run; null: none. Grows with threads(), so ask under the count that runs.
  std::int64_t (*scratch_bytes)(const op::Conv2d& op, const Shapes& in) = nullptr;
  void (*run)(const Conv2dCall& call) = nullptr;
  /// Outputs are computed in squares of tile x tile from their position in the image on: then an
  /// output's last bits depend on all pixels that its square reads.
  int tile = 1;
  /// On images of f16 and bf16, with f32 arithmetic and the same packed weight; null: it takes f32 alone.
  void (*run_f16)(const TypedConv2dCall<Half>& call) = nullptr;
  void (*run_bf16)(const TypedConv2dCall<BFloat16>& call) = nullptr;

  // Of a rung on a GPU, in place of pack and run. The tensors lie there; x, residual and y are of
  // op.type, the packed weight too, bias, slope and [K,R,S,C/groups] are f32.
  void (*launch_pack)(const op::Conv2d& op, const Tensor& weight, const Tensor& packed) = nullptr;
  void (*launch)(const op::Conv2d& op, Inputs inputs, const Tensor& y) = nullptr;

  bool packs() const { return packed_shape != nullptr; }
  bool runs_narrow() const { return run_f16 != nullptr; }
};

/// The rung of the ladder with this `run`, for operations that use its packing and its rows.
const Conv2dVariant* conv2d_rung(void (*run)(const Conv2dCall& call));

/// The rung of that name.
const Conv2dVariant* conv2d_rung(std::string_view name);

/// Modelled, of the rung on a GPU that op::Conv2d takes for any image, on this one. Infinity if there is none.
double conv2d_gpu_seconds(const op::Conv2d& op, const Shapes& in);

// The rungs; ladder.cpp lists them.

void conv2d_reference(const Conv2dCall& call);

double conv2d_direct_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_direct_packed_shape(const op::Conv2d& op, const Shape& weight);
void conv2d_direct_pack(const op::Conv2d& op, View<const float> weight, View<float> packed);
std::int64_t conv2d_direct_scratch_bytes(const op::Conv2d& op, const Shapes& in);
void conv2d_direct(const Conv2dCall& call);
/// Chunks of output channels that the rung computes one after the other: the most parts that a call has.
int conv2d_direct_chunks(const op::Conv2d& op);
/// A call on this thread alone, for operations that share out the work themselves: all of it, or the output channels
/// of part `part` of `parts`, which reads their weights alone.
void conv2d_direct_on_thread(const Conv2dCall& call, int thread, int part = 0, int parts = 1);

std::string conv2d_few_outputs_refuses(const op::Conv2d& op, const Shapes& in);
double conv2d_few_outputs_seconds(const op::Conv2d& op, const Shapes& in);
std::int64_t conv2d_few_outputs_scratch_bytes(const op::Conv2d& op, const Shapes& in);
void conv2d_few_outputs(const Conv2dCall& call);

std::string conv2d_winograd4_refuses(const op::Conv2d& op, const Shapes& in);
double conv2d_winograd4_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_winograd4_packed_shape(const op::Conv2d& op, const Shape& weight);
void conv2d_winograd4_pack(const op::Conv2d& op, View<const float> weight, View<float> packed);
std::int64_t conv2d_winograd4_scratch_bytes(const op::Conv2d& op, const Shapes& in);
void conv2d_winograd4(const Conv2dCall& call);
void conv2d_winograd4_f16(const TypedConv2dCall<Half>& call);
void conv2d_winograd4_bf16(const TypedConv2dCall<BFloat16>& call);

std::string conv2d_winograd6_refuses(const op::Conv2d& op, const Shapes& in);
double conv2d_winograd6_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_winograd6_packed_shape(const op::Conv2d& op, const Shape& weight);
void conv2d_winograd6_pack(const op::Conv2d& op, View<const float> weight, View<float> packed);
std::int64_t conv2d_winograd6_scratch_bytes(const op::Conv2d& op, const Shapes& in);
void conv2d_winograd6(const Conv2dCall& call);
void conv2d_winograd6_f16(const TypedConv2dCall<Half>& call);
void conv2d_winograd6_bf16(const TypedConv2dCall<BFloat16>& call);

std::string conv2d_depthwise_refuses(const op::Conv2d& op, const Shapes& in);
double conv2d_depthwise_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_depthwise_packed_shape(const op::Conv2d& op, const Shape& weight);
void conv2d_depthwise_pack(const op::Conv2d& op, View<const float> weight, View<float> packed);
std::int64_t conv2d_depthwise_scratch_bytes(const op::Conv2d& op, const Shapes& in);
void conv2d_depthwise(const Conv2dCall& call);

// On a GPU; only in a build with CUDA. kernels/conv2d/cuda_rungs.cpp.

double conv2d_cuda_naive_seconds(const op::Conv2d& op, const Shapes& in);
void conv2d_cuda_naive(const op::Conv2d& op, Inputs inputs, const Tensor& y);

std::string conv2d_cuda_tiled_refuses(const op::Conv2d& op, const Shapes& in);
double conv2d_cuda_tiled_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_cuda_tiled_packed_shape(const op::Conv2d& op, const Shape& weight);
void conv2d_cuda_tiled_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed);
void conv2d_cuda_tiled(const op::Conv2d& op, Inputs inputs, const Tensor& y);

std::string conv2d_cuda_winograd4_refuses(const op::Conv2d& op, const Shapes& in);
double conv2d_cuda_winograd4_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_cuda_winograd4_packed_shape(const op::Conv2d& op, const Shape& weight);
void conv2d_cuda_winograd4_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed);
void conv2d_cuda_winograd4(const op::Conv2d& op, Inputs inputs, const Tensor& y);

std::string conv2d_cuda_mma_refuses(const op::Conv2d& op, const Shapes& in);
double conv2d_cuda_mma_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_cuda_mma_packed_shape(const op::Conv2d& op, const Shape& weight);
void conv2d_cuda_mma_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed);
void conv2d_cuda_mma(const op::Conv2d& op, Inputs inputs, const Tensor& y);

std::string conv2d_cuda_tf32_refuses(const op::Conv2d& op, const Shapes& in);
void conv2d_cuda_tf32_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed);
void conv2d_cuda_tf32(const op::Conv2d& op, Inputs inputs, const Tensor& y);

std::string conv2d_cuda_f16_refuses(const op::Conv2d& op, const Shapes& in);
void conv2d_cuda_f16_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed);
void conv2d_cuda_f16(const op::Conv2d& op, Inputs inputs, const Tensor& y);

/// Of both.
double conv2d_cuda_stream_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_cuda_stream_packed_shape(const op::Conv2d& op, const Shape& weight);

std::string conv2d_cuda_tf32_gemm_refuses(const op::Conv2d& op, const Shapes& in);
void conv2d_cuda_tf32_gemm_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed);
void conv2d_cuda_tf32_gemm(const op::Conv2d& op, Inputs inputs, const Tensor& y);

std::string conv2d_cuda_f16_gemm_refuses(const op::Conv2d& op, const Shapes& in);
void conv2d_cuda_f16_gemm_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed);
void conv2d_cuda_f16_gemm(const op::Conv2d& op, Inputs inputs, const Tensor& y);

/// Of both.
double conv2d_cuda_gemm_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_cuda_gemm_packed_shape(const op::Conv2d& op, const Shape& weight);

std::string conv2d_cuda_depthwise_refuses(const op::Conv2d& op, const Shapes& in);
double conv2d_cuda_depthwise_seconds(const op::Conv2d& op, const Shapes& in);
Shape conv2d_cuda_depthwise_packed_shape(const op::Conv2d& op, const Shape& weight);
void conv2d_cuda_depthwise_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed);
void conv2d_cuda_depthwise(const op::Conv2d& op, Inputs inputs, const Tensor& y);

// By a library that need not be there; kernels/conv2d/cuda_cudnn.cpp. Only where they are forced: to look for the
// library takes time, and our own kernels are the point. cudnn multiplies f32 in TF32 where cuDNN likes, cudnn_fma
// never.

std::string conv2d_cudnn_refuses(const op::Conv2d& op, const Shapes& in);
std::string conv2d_cudnn_fma_refuses(const op::Conv2d& op, const Shapes& in);
Shape conv2d_cudnn_packed_shape(const op::Conv2d& op, const Shape& weight);
void conv2d_cudnn_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed);
void conv2d_cudnn(const op::Conv2d& op, Inputs inputs, const Tensor& y);
void conv2d_cudnn_fma(const op::Conv2d& op, Inputs inputs, const Tensor& y);

}  // namespace mend
