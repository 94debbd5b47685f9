// cuda_gemm.cuh's convolution of f16 and bf16.
#include "kernels/conv2d/cuda_gemm.cuh"

namespace mend {
namespace {

constexpr const char* kName = "conv2d/cuda_f16_gemm";

}  // namespace

void launch_conv2d_f16_gemm(const CudaConv2dCall& call) {
  if (call.x.dtype() == DType::kF16) return gemm::launch_convolution<Half>(call, kName);
  gemm::launch_convolution<BFloat16>(call, kName);
}

void launch_conv2d_f16_gemm_pack(const CudaConv2dPacking& packing) {
  if (packing.packed.dtype() == DType::kF16) return gemm::launch_pack<Half>(packing, kName);
  gemm::launch_pack<BFloat16>(packing, kName);
}

}  // namespace mend
