// How much memory this process holds, and how much a run of a network will take.
#pragma once

#include <cstdint>

#include "engine/plan.h"

namespace mend {

/// Bytes of this process that are in memory now, and at most so far.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();

/// Bytes that `mend run` will hold at most for a picture of 8-bit RGB in one piece: what this process
/// holds now, the program with the parameters as they were loaded, and on top of it parameters that
/// the plan repacks, its arena, the picture and the result. Ask right after the model was loaded.
/// `plan` has not run yet.
std::int64_t predicted_peak_bytes(const Plan& plan);

}  // namespace mend
