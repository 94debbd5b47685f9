// Finding out where a number went wrong.
#pragma once

#include <string>
#include <vector>

#include "engine/trace.h"

namespace mend {

/// Whether no element of an f32 tensor is NaN or infinite.
bool all_finite(const Tensor& x);
/// Whether all pixels of an f32 tensor on the CPU are the same.
bool is_constant(const Tensor& x);

/// Runs the steps of `traced` eagerly on `inputs` and names the first one whose output is not
/// finite: "conv2d (body.3.conv1)". Says "the output" if every step is finite this time.
std::string first_not_finite(const Graph& traced, const std::vector<Tensor>& inputs);

}  // namespace mend
