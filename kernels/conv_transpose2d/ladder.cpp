#include "kernels/conv_transpose2d/variant.h"

namespace mend {
namespace {

constexpr ConvTranspose2dKernel kReference{nullptr, nullptr, nullptr, conv_transpose2d_reference};
constexpr ConvTranspose2dKernel kDirect{
    conv_transpose2d_direct_packed_shape, conv_transpose2d_direct_pack,
    conv_transpose2d_direct_scratch_bytes, conv_transpose2d_direct};
#ifdef MEND_HAS_CUDA
constexpr ConvTranspose2dKernel on_gpu(decltype(ConvTranspose2dKernel::launch) launch) {
  ConvTranspose2dKernel kernel;
  kernel.launch = launch;
  return kernel;
}

constexpr ConvTranspose2dKernel kCudaNaive = on_gpu(conv_transpose2d_cuda_naive);
constexpr ConvTranspose2dKernel kCudaTiled = on_gpu(conv_transpose2d_cuda_tiled);
#endif

// clang-format off
constexpr ConvTranspose2dVariant kLadder[] = {
    // name                         device             cannot do                            modelled time                        error kernel
    {"conv_transpose2d/reference",  DeviceKind::kCpu,  never_refuses,                       slowest,                             0,    kReference},
    {"conv_transpose2d/direct",     DeviceKind::kCpu,  never_refuses,                       conv_transpose2d_direct_seconds,     1e-5, kDirect},
#ifdef MEND_HAS_CUDA
    {"conv_transpose2d/cuda_naive", DeviceKind::kCuda, never_refuses,                       conv_transpose2d_cuda_naive_seconds, 1e-5, kCudaNaive},
    {"conv_transpose2d/cuda_tiled", DeviceKind::kCuda, conv_transpose2d_cuda_tiled_refuses, conv_transpose2d_cuda_tiled_seconds, 1e-5, kCudaTiled},
#endif
};
// clang-format on

}  // namespace

std::span<const ConvTranspose2dVariant> conv_transpose2d_ladder() { return kLadder; }

}  // namespace mend
