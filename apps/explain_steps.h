// What the steps of `mend restore` will take, before they do it.
#pragma once

#include <vector>

#include "apps/size_option.h"
#include "restore/chain.h"

namespace mend {

/// Prints each step's picture, network, arithmetic and memory for a picture of `size` that is not
/// cut into tiles, and the whole chain's; as a table or as one line of JSON.
void explain_steps(const std::vector<ChainStep>& steps, PictureSize size, bool json);

}  // namespace mend
