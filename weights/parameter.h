// A parameter as a network has it, and its way back into a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "weights/checkpoint.h"

namespace mend {

/// How the elements of a bound tensor stand in the file.
enum class ParameterLayout {
  kSame,              ///< in the same order
  kKernel,            ///< {K,R,S,C} stored as k,c,r,s
  kTransposedKernel,  ///< {K,R,S,C} stored as (group, c),(k of the group),r,s
};

/// What a network asked of its checkpoint under one key.
struct Parameter {
  std::string key;  ///< as the network asks for it
  Tensor tensor;    ///< f32, as the network reads it
  ParameterLayout layout = ParameterLayout::kSame;
  std::vector<std::int64_t> stored_shape;  ///< in the file
  int groups = 1;                          ///< of a transposed kernel
  std::string file_key = {};  ///< in the file it came from, where that names it otherwise
};

/// `values`, which are laid out like parameter.tensor (changed numbers, or their gradient), as the file
/// has them: f32, of stored_shape.
StoredTensor to_stored(const Parameter& parameter, const Tensor& values);

}  // namespace mend
