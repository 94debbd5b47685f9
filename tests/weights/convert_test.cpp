#include "weights/convert.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

TEST_CASE("convert: types, values and metadata survive, names may change") {
  const TemporaryFolder folder;
  const Checkpoint source = read_checkpoint(data_path("torch/zip_protocol2.pth"));
  ConvertOptions options;
  options.rename = [](const std::string& key) { return key == "empty" ? "" : "net." + key; };
  options.metadata = {{"network", "test"}};
  convert_to_safetensors(source, folder / "out.safetensors", options);
  const Checkpoint copy = read_checkpoint(folder / "out.safetensors");
  CHECK(copy.tensors.size() == source.tensors.size() - 1);
  CHECK(copy.metadata.at("network") == "test");
  for (const auto& [key, tensor] : source.tensors) {
    if (key == "empty") continue;
    CAPTURE(key);
    const StoredTensor& other = copy.tensors.at("net." + key);
    CHECK(other.type == tensor.type);
    CHECK(other.shape == tensor.shape);
    CHECK(other.to_f32() == tensor.to_f32());
  }
}

TEST_CASE("convert: half rounds f32 alone, and refuses what f16 cannot hold") {
  const TemporaryFolder folder;
  Checkpoint source;
  source.path = "net.pth";
  source.tensors["w"] = make_stored_tensor({2}, {0.1f, 65504});
  ConvertOptions options;
  options.half = true;
  convert_to_safetensors(source, folder / "half.safetensors", options);
  const StoredTensor half = read_checkpoint(folder / "half.safetensors").tensors.at("w");
  CHECK(half.type == StoredType::kF16);
  CHECK(half.to_f32() == std::vector<float>{0.0999755859375f, 65504});
  source.tensors["w"] = make_stored_tensor({1}, {1e6f});
  CHECK_THROWS_WITH_AS(convert_to_safetensors(source, folder / "half.safetensors", options),
                       doctest::Contains("beyond the range of f16"), CheckpointError);
}

TEST_CASE("convert: two keys must not become one") {
  const TemporaryFolder folder;
  const Checkpoint source = read_checkpoint(data_path("torch/tiny_zip.pth"));
  ConvertOptions options;
  options.rename = [](const std::string&) { return "same"; };
  CHECK_THROWS_AS(convert_to_safetensors(source, folder / "x.safetensors", options),
                  CheckpointError);
}
