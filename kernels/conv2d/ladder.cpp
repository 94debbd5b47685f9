#include <fmt/format.h>

#include <limits>

#include "kernels/conv2d/variant.h"

namespace mend {
namespace {

constexpr Conv2dKernel kReference{nullptr, nullptr, nullptr, conv2d_reference};
constexpr Conv2dKernel kDirect{conv2d_direct_packed_shape, conv2d_direct_pack,
                               conv2d_direct_scratch_bytes, conv2d_direct};
constexpr Conv2dKernel kFewOutputs{nullptr, nullptr, conv2d_few_outputs_scratch_bytes,
                                   conv2d_few_outputs};
constexpr Conv2dKernel kDepthwise{conv2d_depthwise_packed_shape, conv2d_depthwise_pack,
                                  conv2d_depthwise_scratch_bytes, conv2d_depthwise};
constexpr Conv2dKernel kWinograd4{conv2d_winograd4_packed_shape,
                                  conv2d_winograd4_pack,
                                  conv2d_winograd4_scratch_bytes,
                                  conv2d_winograd4,
                                  4,
                                  conv2d_winograd4_f16,
                                  conv2d_winograd4_bf16};
constexpr Conv2dKernel kWinograd6{conv2d_winograd6_packed_shape,
                                  conv2d_winograd6_pack,
                                  conv2d_winograd6_scratch_bytes,
                                  conv2d_winograd6,
                                  6,
                                  conv2d_winograd6_f16,
                                  conv2d_winograd6_bf16};

#ifdef MEND_HAS_CUDA
constexpr Conv2dKernel on_gpu(decltype(Conv2dKernel::launch) launch,
                              decltype(Conv2dKernel::packed_shape) packed_shape = nullptr,
                              decltype(Conv2dKernel::launch_pack) launch_pack = nullptr,
                              int tile = 1) {
  Conv2dKernel kernel;
  kernel.tile = tile;
  kernel.launch = launch;
  kernel.packed_shape = packed_shape;
  kernel.launch_pack = launch_pack;
  return kernel;
}

constexpr Conv2dKernel kCudaNaive = on_gpu(conv2d_cuda_naive);
constexpr Conv2dKernel kCudaTiled =
    on_gpu(conv2d_cuda_tiled, conv2d_cuda_tiled_packed_shape, conv2d_cuda_tiled_pack);
constexpr Conv2dKernel kCudaWinograd4 = on_gpu(
    conv2d_cuda_winograd4, conv2d_cuda_winograd4_packed_shape, conv2d_cuda_winograd4_pack, 4);
constexpr Conv2dKernel kCudaMma =
    on_gpu(conv2d_cuda_mma, conv2d_cuda_mma_packed_shape, conv2d_cuda_mma_pack);
constexpr Conv2dKernel kCudaTf32 =
    on_gpu(conv2d_cuda_tf32, conv2d_cuda_stream_packed_shape, conv2d_cuda_tf32_pack);
constexpr Conv2dKernel kCudaF16 =
    on_gpu(conv2d_cuda_f16, conv2d_cuda_stream_packed_shape, conv2d_cuda_f16_pack);
constexpr Conv2dKernel kCudaDepthwise =
    on_gpu(conv2d_cuda_depthwise, conv2d_cuda_depthwise_packed_shape, conv2d_cuda_depthwise_pack);
constexpr Conv2dKernel kCudaTf32Gemm =
    on_gpu(conv2d_cuda_tf32_gemm, conv2d_cuda_gemm_packed_shape, conv2d_cuda_tf32_gemm_pack);
constexpr Conv2dKernel kCudaF16Gemm =
    on_gpu(conv2d_cuda_f16_gemm, conv2d_cuda_gemm_packed_shape, conv2d_cuda_f16_gemm_pack);
constexpr Conv2dKernel kCudnn = on_gpu(conv2d_cudnn, conv2d_cudnn_packed_shape, conv2d_cudnn_pack);
constexpr Conv2dKernel kCudnnFma =
    on_gpu(conv2d_cudnn_fma, conv2d_cudnn_packed_shape, conv2d_cudnn_pack);
#endif

/// What a rung on the CPU refuses, besides the types that it does not compute in.
template <std::string (*refuses)(const op::Conv2d& op, const Shapes& in)>
std::string in_f32(const op::Conv2d& op, const Shapes& in) {
  if (op.type != DType::kF32) return fmt::format("computes in f32, not {}", name_of(op.type));
  return refuses(op, in);
}

// clang-format off
constexpr Conv2dVariant kLadder[] = {
    // name                   device             cannot do                            modelled time                  error  kernel
    {"conv2d/reference",      DeviceKind::kCpu,  in_f32<never_refuses>,               slowest,                       0,     kReference},
    {"conv2d/direct",         DeviceKind::kCpu,  in_f32<never_refuses>,               conv2d_direct_seconds,         1e-5,  kDirect},
    {"conv2d/few_outputs",    DeviceKind::kCpu,  in_f32<conv2d_few_outputs_refuses>,  conv2d_few_outputs_seconds,    1e-5,  kFewOutputs},
    {"conv2d/winograd4",      DeviceKind::kCpu,  conv2d_winograd4_refuses,            conv2d_winograd4_seconds,      1e-5,  kWinograd4},
    {"conv2d/winograd6",      DeviceKind::kCpu,  conv2d_winograd6_refuses,            conv2d_winograd6_seconds,      1e-4,  kWinograd6},
    {"conv2d/depthwise",      DeviceKind::kCpu,  in_f32<conv2d_depthwise_refuses>,    conv2d_depthwise_seconds,      1e-5,  kDepthwise},
#ifdef MEND_HAS_CUDA
    {"conv2d/cuda_naive",     DeviceKind::kCuda, never_refuses,                       conv2d_cuda_naive_seconds,     1e-5,  kCudaNaive},
    {"conv2d/cuda_tiled",     DeviceKind::kCuda, conv2d_cuda_tiled_refuses,           conv2d_cuda_tiled_seconds,     1e-5,  kCudaTiled},
    {"conv2d/cuda_winograd4", DeviceKind::kCuda, conv2d_cuda_winograd4_refuses,       conv2d_cuda_winograd4_seconds, 1e-5,  kCudaWinograd4},
    {"conv2d/cuda_depthwise", DeviceKind::kCuda, conv2d_cuda_depthwise_refuses,       conv2d_cuda_depthwise_seconds, 1e-5,  kCudaDepthwise},
    {"conv2d/cuda_mma",       DeviceKind::kCuda, conv2d_cuda_mma_refuses,             conv2d_cuda_mma_seconds,       5e-3,  kCudaMma},
    {"conv2d/cuda_tf32",      DeviceKind::kCuda, conv2d_cuda_tf32_refuses,            conv2d_cuda_stream_seconds,    1e-3,  kCudaTf32},
    {"conv2d/cuda_tf32_gemm", DeviceKind::kCuda, conv2d_cuda_tf32_gemm_refuses,       conv2d_cuda_gemm_seconds,      1e-3,  kCudaTf32Gemm},
    {"conv2d/cuda_f16",       DeviceKind::kCuda, conv2d_cuda_f16_refuses,             conv2d_cuda_stream_seconds,    5e-3,  kCudaF16},
    {"conv2d/cuda_f16_gemm",  DeviceKind::kCuda, conv2d_cuda_f16_gemm_refuses,        conv2d_cuda_gemm_seconds,      5e-3,  kCudaF16Gemm},
    {"conv2d/cudnn_fma",      DeviceKind::kCuda, conv2d_cudnn_fma_refuses,            slowest,                       1e-5,  kCudnnFma},
    {"conv2d/cudnn",          DeviceKind::kCuda, conv2d_cudnn_refuses,                slowest,                       5e-3,  kCudnn},
#endif
};
// clang-format on

}  // namespace

std::span<const Conv2dVariant> conv2d_ladder() { return kLadder; }

const Conv2dVariant* conv2d_rung(void (*run)(const Conv2dCall& call)) {
  for (const Conv2dVariant& rung : kLadder) {
    if (rung.kernel.run == run) return &rung;
  }
  return nullptr;
}

const Conv2dVariant* conv2d_rung(std::string_view name) {
  for (const Conv2dVariant& rung : kLadder) {
    if (rung.name == name) return &rung;
  }
  return nullptr;
}

double conv2d_gpu_seconds(const op::Conv2d& op, const Shapes& in) {
  const Shapes typical = op.typical(in);
  double least = std::numeric_limits<double>::infinity(), seconds = least;
  for (const Conv2dVariant& rung : kLadder) {
    if (rung.device != DeviceKind::kCuda || !rung.refuses(op, typical).empty()) continue;
    if (rung.seconds(op, typical) >= least) continue;
    least = rung.seconds(op, typical);
    seconds = rung.seconds(op, in);
  }
  return seconds;
}

}  // namespace mend
