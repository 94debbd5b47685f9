#include "tests/fuzz/fuzz.h"
#include "weights/torch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return mend::fuzz::expect_error_or_success(
      [&] { return mend::read_torch_zip("fuzz", mend::fuzz::bytes_of(data, size)); });
}
