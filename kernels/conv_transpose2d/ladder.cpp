#include "kernels/conv_transpose2d/variant.h"

namespace mend {
namespace {

constexpr ConvTranspose2dKernel kReference{nullptr, nullptr, nullptr, conv_transpose2d_reference};
constexpr ConvTranspose2dKernel kDirect{
    conv_transpose2d_direct_packed_shape, conv_transpose2d_direct_pack,
    conv_transpose2d_direct_scratch_bytes, conv_transpose2d_direct};

// clang-format off
constexpr ConvTranspose2dVariant kLadder[] = {
    // name                         device            cannot do      modelled time                    error  kernel
    {"conv_transpose2d/reference",  DeviceKind::kCpu, never_refuses, slowest,                         0,     kReference},
    {"conv_transpose2d/direct",     DeviceKind::kCpu, never_refuses, conv_transpose2d_direct_seconds, 1e-5,  kDirect},
};
// clang-format on

}  // namespace

std::span<const ConvTranspose2dVariant> conv_transpose2d_ladder() { return kLadder; }

}  // namespace mend
