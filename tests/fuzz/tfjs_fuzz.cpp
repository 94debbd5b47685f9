// A model.json, a NUL, and the bytes of every group's shards.
#include "tests/fuzz/fuzz.h"
#include "weights/tfjs.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\0');
  if (end == std::string_view::npos) return 0;
  return mend::fuzz::expect_error_or_success([&] {
    mend::Checkpoint checkpoint;
    const auto shards = mend::fuzz::bytes_of(data + end + 1, size - end - 1);
    for (const mend::TfjsGroup& group : mend::parse_tfjs_manifest(all.substr(0, end), "fuzz")) {
      checkpoint.tensors.merge(mend::read_tfjs_weights(group, shards, "fuzz"));
    }
    return checkpoint;
  });
}
