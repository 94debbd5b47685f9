#include "kernels/conv_transpose2d/variant.h"

namespace mend {
namespace {

// clang-format off
const ConvTranspose2dVariant kLadder[] = {
    // name                         device            cannot do      modelled time   error   kernel
    {"conv_transpose2d/reference",  DeviceKind::kCpu, never_refuses, slowest,        0,      {nullptr, nullptr, nullptr, conv_transpose2d_reference}},
};
// clang-format on

}  // namespace

std::span<const ConvTranspose2dVariant> conv_transpose2d_ladder() { return kLadder; }

}  // namespace mend
