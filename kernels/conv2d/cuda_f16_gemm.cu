// cuda_gemm.cuh's convolution of f16 and bf16.
#include "kernels/conv2d/cuda_gemm.cuh"
#include "kernels/narrow_type.h"

namespace mend {
namespace {

constexpr const char* kName = "conv2d/cuda_f16_gemm";

}  // namespace

void launch_conv2d_f16_gemm(const CudaConv2dCall& call) {
  with_narrow_type(call.x.dtype(), [&]<class T>() { gemm::launch_convolution<T>(call, kName); });
}

void launch_conv2d_f16_gemm_pack(const CudaConv2dPacking& packing) {
  with_narrow_type(packing.packed.dtype(),
                   [&]<class T>() { gemm::launch_pack<T>(packing, kName); });
}

}  // namespace mend
