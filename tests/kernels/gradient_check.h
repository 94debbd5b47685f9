// Gradients against finite differences of the reference, and against themselves run in other ways.
#pragma once

#include <vector>

#include "engine/op.h"

namespace mend::test {

/// The gradients of Σ probe·op(inputs) with respect to the inputs that `wanted` says (all, if it is
/// empty), as `backward` makes them from a tape:
/// - against central differences of the reference rung, within 1e-4,
/// - from a plan that holds forward and backward, within 1e-5 of the tape,
/// - from channel slices, within 1e-5,
/// - on one thread and two, the same bits.
void check_gradient(const AnyOp& op, const Tensors& inputs, const std::vector<bool>& wanted = {});

/// Numbers in [-1, 1) that keep `margin` away from 0: for functions with a kink there.
Tensor away_from_0(const Shape& shape, std::uint64_t seed, float margin = 0.15f);
/// Different numbers, at least 0.1 apart: for maxima.
Tensor far_apart(const Shape& shape, std::uint64_t seed);

}  // namespace mend::test
