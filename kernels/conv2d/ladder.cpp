#include "kernels/conv2d/variant.h"

namespace mend {
namespace {

// clang-format off
const Conv2dVariant kLadder[] = {
    // name               device            cannot do      modelled time   error   kernel
    {"conv2d/reference",  DeviceKind::kCpu, never_refuses, slowest,        0,      {nullptr, nullptr, nullptr, conv2d_reference}},
};
// clang-format on

}  // namespace

std::span<const Conv2dVariant> conv2d_ladder() { return kLadder; }

}  // namespace mend
