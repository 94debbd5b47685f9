// Files that PyTorch wrote: tests/weights/make_pth.py makes and describes them.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/error.h"
#include "tests/support/paths.h"
#include "weights/checkpoint.h"

using namespace mend;
using namespace mend::test;

namespace {

using Floats = std::vector<float>;
using Integers = std::vector<std::int64_t>;

Checkpoint read_torch(const std::string& name) {
  return read_checkpoint(data_path("torch/" + name));
}

std::vector<std::string> keys(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const auto& [key, tensor] : checkpoint.tensors) names.push_back(key);
  return names;
}

const std::vector<std::string> kTinyKeys = {"conv.bias", "conv.weight"};

}  // namespace

TEST_CASE("torch: both formats and all protocols give the same tensors") {
  for (const std::string format : {"zip", "legacy"}) {
    for (const std::string protocol : {"2", "3", "4", "5"}) {
      CAPTURE(format);
      CAPTURE(protocol);
      Checkpoint checkpoint = read_torch(format + "_protocol" + protocol + ".pth");
      CHECK(checkpoint.format == "torch " + format);
      auto& tensors = checkpoint.tensors;
      CHECK(tensors.size() == 15);
      CHECK(tensors["conv.weight"].shape == Integers{2, 3, 1, 2});
      CHECK(tensors["conv.weight"].to_f32() == Floats{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
      CHECK(tensors["slice"].to_f32() == Floats{1, 3, 5, 7});
      CHECK(tensors["slice"].storage == tensors["shared"].storage);
      CHECK(tensors["transposed"].shape == Integers{3, 2});
      CHECK(tensors["transposed"].to_f32() == Floats{0, 3, 1, 4, 2, 5});
      CHECK(tensors["half"].type == StoredType::kF16);
      CHECK(tensors["half"].to_f32() == Floats{0.5f, -2, 65504});
      CHECK(tensors["bfloat"].to_f32() == Floats{1.5f, -3});
      CHECK(tensors["double"].to_f32() == Floats{0.25f, 1e30f});
      CHECK(tensors["long"].to_i64() == Integers{-1, std::int64_t{1} << 40});
      CHECK(tensors["int"].to_i64() == Integers{7});
      CHECK(tensors["short"].to_i64() == Integers{-7});
      CHECK(tensors["char"].to_i64() == Integers{-8});
      CHECK(tensors["byte"].to_i64() == Integers{200});
      CHECK(tensors["flag"].to_i64() == Integers{1, 0});
      CHECK(tensors["scalar"].shape.empty());
      CHECK(tensors["scalar"].to_f32() == Floats{3.5f});
      CHECK(tensors["empty"].to_f32().empty());
      CHECK_THROWS_AS(tensors["half"].to_i64(), CheckpointError);
    }
  }
}

TEST_CASE("torch: params_ema wins over params, prefixes go, scalars stay beside") {
  const Checkpoint checkpoint = read_torch("nested.pth");
  CHECK(keys(checkpoint) == kTinyKeys);
  CHECK(checkpoint.tensors.at("conv.bias").to_f32() == Floats{3});
  CHECK(checkpoint.metadata.at("epoch") == "7");
  CHECK(checkpoint.metadata.at("pro") == "true");
  CHECK(keys(read_torch("lightning.pth")) == kTinyKeys);
}

TEST_CASE("torch: a whole module gives the names of its state_dict") {
  const Checkpoint state = read_torch("module_state.pth");
  for (const char* name : {"module.pth", "script.pt"}) {
    CAPTURE(name);
    const Checkpoint module = read_torch(name);
    CHECK(keys(module) == keys(state));
    for (const auto& [key, tensor] : state.tensors) {
      CAPTURE(key);
      REQUIRE(module.tensors.contains(key));
      CHECK(module.tensors.at(key).to_f32() == tensor.to_f32());
    }
  }
}

TEST_CASE("checkpoint: NaN in the weights is refused with key and element") {
  CHECK_THROWS_WITH_AS(read_torch("nan.pth"), doctest::Contains("bad: element 1 of [2] is nan"),
                       CheckpointError);
}

TEST_CASE("checkpoint: the format is recognised from the content, whatever the name") {
  const TemporaryFolder folder;
  const std::string disguised = folder / "really.safetensors";
  write_file(disguised, read_file(data_path("torch/tiny_zip.pth")));
  CHECK(keys(read_checkpoint(disguised)) == kTinyKeys);
}

TEST_CASE("checkpoint: what is no checkpoint is refused by name") {
  const TemporaryFolder folder;
  write_file(folder / "empty.pth", "");
  write_file(folder / "text.pth", "hello, world\n");
  write_file(folder / "odd.safetensors", "short");
  CHECK_THROWS_WITH_AS(read_checkpoint(folder / "empty.pth"), doctest::Contains("is empty"),
                       CheckpointError);
  CHECK_THROWS_WITH_AS(read_checkpoint(folder / "text.pth"), doctest::Contains("is none of"),
                       CheckpointError);
  CHECK_THROWS_WITH_AS(read_checkpoint(folder / "odd.safetensors"), doctest::Contains("is none of"),
                       CheckpointError);
  CHECK_THROWS_WITH_AS(read_checkpoint(folder.path()), doctest::Contains("is a folder"),
                       CheckpointError);
  CHECK_THROWS_WITH_AS(read_checkpoint(folder / "absent"), doctest::Contains("cannot be opened"),
                       CheckpointError);
}
