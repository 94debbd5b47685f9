// From the type of a tensor's numbers to that of a kernel.
#pragma once

#include "engine/dtype.h"

namespace mend {

/// f.operator()<T>() with float, or of 16 bits Half or BFloat16.
template <class F>
void by_type(DType type, const F& f) {
  if (type == DType::kF16) return f.template operator()<Half>();
  if (type == DType::kBF16) return f.template operator()<BFloat16>();
  f.template operator()<float>();
}

}  // namespace mend
