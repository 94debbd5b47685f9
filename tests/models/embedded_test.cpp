// The weights that the program carries: small, whole, and made by the recipes of this tree.
#include "weights/embedded.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "models/registry.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

std::string recipe_of(std::string_view name) {
  const std::string path = source_path("train/recipes/" + std::string(name) + ".json");
  CAPTURE(path);
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("own weights: all are there, in f16, and below 6 MB together") {
  std::size_t bytes = 0;
  for (const EmbeddedCheckpoint& own : embedded_checkpoints()) {
    CAPTURE(own.name);
    bytes += own.file.size();
    for (const auto& [key, tensor] : read_embedded(own).tensors) {
      CAPTURE(key);
      CHECK(tensor.type == StoredType::kF16);
    }
  }
  CHECK(bytes < 6'000'000);
  for (const char* name : {"deblur", "dejpeg", "denoise", "inpaint", "lowlight", "restore",
                           "upscale-x2", "upscale-x3", "upscale-x4"}) {
    CAPTURE(name);
    CHECK(find_embedded(name) != nullptr);
  }
  CHECK(find_embedded("upscale-x5") == nullptr);
}

TEST_CASE("own weights: each is a network of this tree, for its task, by its recipe") {
  for (const EmbeddedCheckpoint& own : embedded_checkpoints()) {
    CAPTURE(own.name);
    const Checkpoint checkpoint = read_embedded(own);
    const Model model = load_model(checkpoint);
    const std::string task = checkpoint.metadata.at("task");
    CHECK(own.name.starts_with(task));
    CHECK(std::ranges::find(model.traits.tasks, task) != model.traits.tasks.end());
    CHECK(checkpoint.metadata.at("recipe") == recipe_of(own.name));
    CHECK(model.parameters < 700'000);
  }
}

}  // namespace mend::test
