// What fixtures store of a network's outputs: all pixels, or of large ones a part.
#pragma once

#include <string>
#include <utility>

#include "kernels/pool/pool.h"
#include "tests/support/golden.h"

namespace mend::test {

/// Every `stride`-th pixel of every `stride`-th row.
inline Tensor thinned(const Tensor& y, int stride) {
  return stride == 1 ? y : apply(op::Pool{.kernel = 1, .stride = stride}, {y});
}

/// What `golden` has of output `name`, and of which pixels: large ones are thinned, as
/// "output_stride8". Undefined if nothing.
inline std::pair<Tensor, int> stored_output(const Golden& golden, const std::string& name) {
  if (golden.has(name)) return {golden.at(name), 1};
  for (const int stride : {2, 4, 8}) {
    const std::string thin = name + "_stride" + std::to_string(stride);
    if (golden.has(thin)) return {golden.at(thin), stride};
  }
  return {};
}

}  // namespace mend::test
