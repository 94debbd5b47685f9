// What the CUDA rung launches on the current device.
#pragma once

#include "engine/tensor.h"

namespace mend {

/// One of the two is float, the other Half or BFloat16.
template <class From, class To>
void launch_convert(View<const From> x, View<To> y);

}  // namespace mend
