#include "kernels/conv_transpose2d/variant.h"
#include "kernels/narrow.h"

namespace mend {
namespace {

constexpr ConvTranspose2dKernel kReference{nullptr, nullptr, nullptr, conv_transpose2d_reference};
constexpr ConvTranspose2dKernel kDirect{
    conv_transpose2d_direct_packed_shape, conv_transpose2d_direct_pack,
    conv_transpose2d_direct_scratch_bytes, conv_transpose2d_direct};
#ifdef MEND_HAS_CUDA
constexpr ConvTranspose2dKernel on_gpu(
    decltype(ConvTranspose2dKernel::launch) launch,
    decltype(ConvTranspose2dKernel::packed_shape) packed_shape = nullptr,
    decltype(ConvTranspose2dKernel::launch_pack) launch_pack = nullptr) {
  ConvTranspose2dKernel kernel;
  kernel.launch = launch;
  kernel.packed_shape = packed_shape;
  kernel.launch_pack = launch_pack;
  return kernel;
}

constexpr ConvTranspose2dKernel kCudaNaive = on_gpu(conv_transpose2d_cuda_naive);
constexpr ConvTranspose2dKernel kCudaTiled = on_gpu(conv_transpose2d_cuda_tiled);
constexpr ConvTranspose2dKernel kCudaGemm =
    on_gpu(conv_transpose2d_cuda_gemm, conv_transpose2d_cuda_gemm_packed_shape,
           conv_transpose2d_cuda_gemm_pack);

/// In TF32, or in f16 and bf16: what a type may lose differs.
std::string refuses_tf32(const op::ConvTranspose2d& op, const Shapes& in) {
  const std::string why = takes_f32_alone(op, in);
  return why.empty() ? conv_transpose2d_cuda_gemm_refuses(op, in) : why;
}
std::string refuses_f16(const op::ConvTranspose2d& op, const Shapes& in) {
  if (op.type == DType::kF32) return "computes in f16 and bf16";
  return conv_transpose2d_cuda_gemm_refuses(op, in);
}
#endif

// clang-format off
constexpr ConvTranspose2dVariant kLadder[] = {
    // name                         device             cannot do                            modelled time                        error kernel
    {"conv_transpose2d/reference",  DeviceKind::kCpu,  takes_f32_alone,                     slowest,                             0,    kReference},
    {"conv_transpose2d/direct",     DeviceKind::kCpu,  takes_f32_alone,                     conv_transpose2d_direct_seconds,     1e-5, kDirect},
#ifdef MEND_HAS_CUDA
    {"conv_transpose2d/cuda_naive", DeviceKind::kCuda, takes_f32_alone,                     conv_transpose2d_cuda_naive_seconds, 1e-5, kCudaNaive},
    {"conv_transpose2d/cuda_tiled", DeviceKind::kCuda, conv_transpose2d_cuda_tiled_refuses, conv_transpose2d_cuda_tiled_seconds, 1e-5, kCudaTiled},
    {"conv_transpose2d/cuda_tf32_gemm", DeviceKind::kCuda, refuses_tf32,                    conv_transpose2d_cuda_gemm_seconds,  1e-3, kCudaGemm},
    {"conv_transpose2d/cuda_f16_gemm", DeviceKind::kCuda, refuses_f16,                      conv_transpose2d_cuda_gemm_seconds,  5e-3, kCudaGemm},
#endif
};
// clang-format on

}  // namespace

std::span<const ConvTranspose2dVariant> conv_transpose2d_ladder() { return kLadder; }

}  // namespace mend
