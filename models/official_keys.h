// Other names of the same parameters.
//
// BSRGAN and the first ESRGAN name RRDBNet's parameters in their own ways, and ncnn files bear the
// names of graph nodes. Networks know one set of names, the official one.
#pragma once

#include "weights/checkpoint.h"

namespace mend {

/// The checkpoint with its keys renamed if they belong to a known family, else as it is.
/// Throws CheckpointError if two keys would get the same name.
Checkpoint to_official_keys(Checkpoint checkpoint);

}  // namespace mend
