// What operations that a plan makes of others ask of these.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "engine/ladder.h"
#include "kernels/conv2d/conv2d.h"

namespace mend {

/// Whether somebody chose a rung of one of these operations: they then stay apart, so that it runs.
inline bool any_forced(std::initializer_list<std::string_view> ops) {
  return std::any_of(ops.begin(), ops.end(),
                     [](std::string_view op) { return !forced_variant(op).empty(); });
}

/// A 1x1 kernel of stride 1 without padding or groups: a linear layer over the channels of each pixel.
inline bool is_pointwise(const op::Conv2d& op) {
  return op.kernel_h == 1 && op.kernel_w == 1 && op.stride == 1 && op.padding_h == 0 &&
         op.padding_w == 0 && op.groups == 1;
}

}  // namespace mend
