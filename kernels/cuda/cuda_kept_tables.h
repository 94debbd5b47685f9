// Small tables that kernels read, such as the taps of a resampling: made and brought to a GPU once, and kept
// there for the next call, so that a plan's later runs neither allocate nor upload.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace mend {

/// The bytes that `make` returns, on the current GPU. `key` says all that they depend on. The caller keeps the
/// tensor until its kernels are launched; the tables themselves stay until there are too many of them.
/// Safe to call from any thread.
Tensor kept_table(const std::string& key, const std::function<std::vector<std::byte>()>& make);

}  // namespace mend
