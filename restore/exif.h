// The two things that EXIF must not say any more once a picture was changed.
#pragma once

#include <cstdint>
#include <vector>

namespace mend {

/// Reads the orientation (1..8) of a TIFF block and leaves a block that says 1 and has no thumbnail.
/// A block that is not valid TIFF is left as it is: 1.
int take_orientation(std::vector<std::uint8_t>& exif);

}  // namespace mend
