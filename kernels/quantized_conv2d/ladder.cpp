#include "kernels/quantized_conv2d/variant.h"

namespace mend {
namespace {

constexpr QuantizedConv2dKernel kReference{nullptr, nullptr, nullptr, quantized_conv2d_reference};
constexpr QuantizedConv2dKernel kWinograd4{
    quantized_conv2d_winograd4_packed_bytes, quantized_conv2d_winograd4_pack,
    quantized_conv2d_winograd4_scratch_bytes, quantized_conv2d_winograd4, 4};
constexpr QuantizedConv2dKernel kWinograd6{
    quantized_conv2d_winograd6_packed_bytes, quantized_conv2d_winograd6_pack,
    quantized_conv2d_winograd6_scratch_bytes, quantized_conv2d_winograd6, 6};

#ifdef MEND_HAS_CUDA
constexpr QuantizedConv2dKernel kCudaNaive{nullptr, nullptr, nullptr, quantized_conv2d_cuda_naive};
constexpr QuantizedConv2dKernel kCudaInt8{quantized_conv2d_cuda_int8_packed_bytes,
                                          quantized_conv2d_cuda_int8_pack, nullptr,
                                          quantized_conv2d_cuda_int8};
#endif

// clang-format off
constexpr QuantizedConv2dVariant kLadder[] = {
    // name                         device             cannot do                           modelled time                        error  kernel
    {"quantized_conv2d/reference",  DeviceKind::kCpu,  never_refuses,                      slowest,                             0,     kReference},
    {"quantized_conv2d/winograd4",  DeviceKind::kCpu,  quantized_conv2d_winograd4_refuses, quantized_conv2d_winograd4_seconds,  5e-3,  kWinograd4},
    {"quantized_conv2d/winograd6",  DeviceKind::kCpu,  quantized_conv2d_winograd6_refuses, quantized_conv2d_winograd6_seconds,  12e-3, kWinograd6},
#ifdef MEND_HAS_CUDA
    {"quantized_conv2d/cuda_naive", DeviceKind::kCuda, never_refuses,                      quantized_conv2d_cuda_naive_seconds, 1e-5,  kCudaNaive},
    {"quantized_conv2d/cuda_int8",  DeviceKind::kCuda, quantized_conv2d_cuda_int8_refuses, quantized_conv2d_cuda_int8_seconds,  2e-4,  kCudaInt8},
#endif
};
// clang-format on

}  // namespace

std::span<const QuantizedConv2dVariant> quantized_conv2d_ladder() { return kLadder; }

}  // namespace mend
