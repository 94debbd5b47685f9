// A graph, a NUL, and its weights.
#include "tests/fuzz/fuzz.h"
#include "weights/ncnn.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\0');
  if (end == std::string_view::npos) return 0;
  return mend::fuzz::expect_error_or_success([&] {
    mend::Checkpoint checkpoint;
    const mend::NcnnGraph graph = mend::parse_ncnn_param(all.substr(0, end), "fuzz");
    const auto bin = mend::fuzz::bytes_of(data + end + 1, size - end - 1);
    checkpoint.tensors = mend::read_ncnn_weights(graph, bin, "fuzz");
    return checkpoint;
  });
}
