// Two pictures and their difference in one.
#pragma once

#include "restore/image.h"

namespace mend {

/// before | after | difference, of equal size, 8 bits, RGB. The difference is gray where they are
/// equal and shows ±32 grey levels as full swing. Throws ShapeError if the extents differ.
Image side_by_side(const Image& before, const Image& after);

}  // namespace mend
