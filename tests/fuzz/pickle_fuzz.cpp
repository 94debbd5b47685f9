// The pickle alone: inside an archive, its checksum would keep most changes from it.
#include "tests/fuzz/fuzz.h"
#include "weights/torch_pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return mend::fuzz::expect_error_or_success([&] {
    mend::ByteReader reader(std::as_bytes(std::span(data, size)), "fuzz");
    mend::pickle::Arena arena;
    mend::TorchHost host("fuzz");
    const auto state = mend::find_state(*mend::pickle::load(reader, arena, host), "fuzz");
    return mend::bind_storages("fuzz", state, {});
  });
}
