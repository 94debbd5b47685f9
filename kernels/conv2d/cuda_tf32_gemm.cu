// cuda_gemm.cuh's convolution of f32, in TF32.
#include "kernels/conv2d/cuda_gemm.cuh"

namespace mend {
namespace {

constexpr const char* kName = "conv2d/cuda_tf32_gemm";

}  // namespace

void launch_conv2d_tf32_gemm(const CudaConv2dCall& call) {
  gemm::launch_convolution<float>(call, kName);
}

void launch_conv2d_tf32_gemm_pack(const CudaConv2dPacking& packing) {
  gemm::launch_pack<float>(packing, kName);
}

}  // namespace mend
