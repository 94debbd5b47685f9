#include "kernels/conv2d/variant.h"

namespace mend {
namespace {

constexpr Conv2dKernel kReference{nullptr, nullptr, nullptr, conv2d_reference};
constexpr Conv2dKernel kDirect{conv2d_direct_packed_shape, conv2d_direct_pack,
                               conv2d_direct_scratch_bytes, conv2d_direct};
constexpr Conv2dKernel kDepthwise{conv2d_depthwise_packed_shape, conv2d_depthwise_pack,
                                  conv2d_depthwise_scratch_bytes, conv2d_depthwise};
constexpr Conv2dKernel kWinograd4{conv2d_winograd4_packed_shape, conv2d_winograd4_pack,
                                  conv2d_winograd4_scratch_bytes, conv2d_winograd4, 4};
constexpr Conv2dKernel kWinograd6{conv2d_winograd6_packed_shape, conv2d_winograd6_pack,
                                  conv2d_winograd6_scratch_bytes, conv2d_winograd6, 6};

// clang-format off
constexpr Conv2dVariant kLadder[] = {
    // name               device            cannot do                 modelled time             error  kernel
    {"conv2d/reference",  DeviceKind::kCpu, never_refuses,            slowest,                  0,     kReference},
    {"conv2d/direct",     DeviceKind::kCpu, never_refuses,            conv2d_direct_seconds,    1e-5,  kDirect},
    {"conv2d/winograd4",  DeviceKind::kCpu, conv2d_winograd4_refuses, conv2d_winograd4_seconds, 1e-5,  kWinograd4},
    {"conv2d/winograd6",  DeviceKind::kCpu, conv2d_winograd6_refuses, conv2d_winograd6_seconds, 1e-4,  kWinograd6},
    {"conv2d/depthwise",  DeviceKind::kCpu, conv2d_depthwise_refuses, conv2d_depthwise_seconds, 1e-5,  kDepthwise},
};
// clang-format on

}  // namespace

std::span<const Conv2dVariant> conv2d_ladder() { return kLadder; }

}  // namespace mend
