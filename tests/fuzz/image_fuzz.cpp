// Any bytes are a picture or an InputError; a picture can be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "engine/error.h"
#include "restore/image_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  mend::ReadOptions options;
  options.max_pixels = 1 << 20;  // larger ones would only slow the search down
  try {
    const mend::Image image = mend::decode_image({bytes, count}, "fuzz", options);
    const mend::Image again =
        mend::decode_image(mend::encode_image(image, mend::ImageFormat::kPam), "fuzz", options);
    if (again.bytes != image.bytes) std::abort();
  } catch (const mend::InputError&) {
  }
  return 0;
}
