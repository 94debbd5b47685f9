#include "weights/tfjs.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "tests/support/file_bytes.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

using Floats = std::vector<float>;
using Extents = std::vector<std::int64_t>;

std::string floats(int count) {
  Floats values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return bytes_of(values);
}

std::string weight(const std::string& name, const std::string& shape,
                   const std::string& more = R"("dtype": "float32")") {
  return R"({"name": ")" + name + R"(", "shape": )" + shape + ", " + more + "}";
}

std::string group(const std::string& paths, const std::string& weights) {
  return R"({"paths": [)" + paths + R"(], "weights": [)" + weights + "]}";
}

std::string model(const std::string& groups) {
  return R"({"format": "layers-model", "modelTopology": {"layers": [[{}]]}, "weightsManifest": [)" +
         groups + "]}";
}

/// A model of one shard, a.bin.
std::string model_of(const std::string& weights) { return model(group(R"("a.bin")", weights)); }

struct Shard {
  std::string name, bytes;
};

/// The checkpoint of these files; errors are CheckpointErrors.
Checkpoint read_folder(const std::string& json, const std::vector<Shard>& shards) {
  const TemporaryFolder folder;
  write_file(folder / "model.json", json);
  for (const Shard& shard : shards) write_file(folder / shard.name, shard.bytes);
  return read_checkpoint(folder / "model.json");
}

/// The message of the refusal; empty if the files are accepted.
std::string folder_refusal(const std::string& json, const std::vector<Shard>& shards) {
  try {
    read_folder(json, shards);
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string kSmall =
    model_of(weight("c/kernel", "[1,2,3,1]") + "," + weight("c/bias", "[1]"));

}  // namespace

TEST_CASE("tfjs: weights come in PyTorch's layouts and under PyTorch's names") {
  const Checkpoint checkpoint =
      read_folder(model_of(weight("c/kernel", "[1,2,3,2]") + "," + weight("c/bias", "[2]") + "," +
                           weight("outer/d/kernel", "[2,3]") + "," + weight("p/alpha", "[1,1,2]") +
                           "," + weight("s", "[]")),
                  {{"a.bin", floats(12) + floats(2) + floats(6) + floats(2) + floats(1)}});
  const auto& tensors = checkpoint.tensors;
  CHECK(checkpoint.format == "tfjs");
  CHECK(tensors.size() == 5);
  CHECK(tensors.at("c.weight").shape == Extents{2, 3, 1, 2});
  CHECK(tensors.at("c.weight").to_f32() == Floats{0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11});
  CHECK(tensors.at("c.bias").to_f32() == Floats{0, 1});
  CHECK(tensors.at("outer.d.weight").shape == Extents{3, 2});
  CHECK(tensors.at("outer.d.weight").to_f32() == Floats{0, 3, 1, 4, 2, 5});
  CHECK(tensors.at("p.alpha").shape == Extents{1, 1, 2});
  CHECK(tensors.at("s").shape.empty());
}

TEST_CASE("tfjs: shards are one run of bytes, groups are not") {
  const std::string bytes = floats(4);
  const Checkpoint checkpoint =
      read_folder(model(group(R"("b", "a")", weight("x", "[3]") + "," + weight("y", "[1]")) + "," +
                        group(R"("c")", weight("z", "[2]"))),
                  {{"b", bytes.substr(0, 7)}, {"a", bytes.substr(7)}, {"c", floats(2)}});
  CHECK(checkpoint.tensors.at("x").to_f32() == Floats{0, 1, 2});
  CHECK(checkpoint.tensors.at("y").to_f32() == Floats{3});
  CHECK(checkpoint.tensors.at("z").to_f32() == Floats{0, 1});
}

TEST_CASE("tfjs: weights stored as float16 are read as such") {
  const std::string half = R"("dtype": "float32", "quantization": {"dtype": "float16"})";
  const Checkpoint checkpoint =
      read_folder(model_of(weight("x", "[1]", half)), {{"a.bin", bytes_of(std::uint16_t{0x4000})}});
  CHECK(checkpoint.tensors.at("x").type == StoredType::kF16);
  CHECK(checkpoint.tensors.at("x").to_f32() == Floats{2});
}

TEST_CASE("tfjs: JSON with a brace in the ninth byte is not taken for safetensors") {
  const std::string json =
      R"({"none":{}, "weightsManifest": [)" + group(R"("a.bin")", weight("x", "[1]")) + "]}";
  REQUIRE(json[8] == '{');
  CHECK(read_folder(json, {{"a.bin", floats(1)}}).tensors.contains("x"));
}

TEST_CASE("tfjs: a shard truncated at any byte, missing, or with one more, is refused") {
  const std::string bytes = floats(7);
  CHECK(folder_refusal(kSmall, {{"a.bin", bytes}}) == "");
  CHECK(contains(folder_refusal(kSmall, {{"a.bin", bytes + "x"}}), "1 bytes belong to no weight"));
  CHECK(contains(folder_refusal(kSmall, {}), "a.bin: cannot be opened"));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    CHECK(folder_refusal(kSmall, {{"a.bin", bytes.substr(0, length)}}) != "");
  }
}

TEST_CASE("tfjs: a model.json truncated at any byte is refused") {
  for (std::size_t length = 1; length < kSmall.size(); ++length) {
    CAPTURE(length);
    CHECK(folder_refusal(kSmall.substr(0, length), {{"a.bin", floats(7)}}) != "");
  }
}

TEST_CASE("tfjs: impossible models are refused with what is wrong") {
  struct Hostile {
    std::string json;
    const char* message;
  };
  const auto shard = [](const std::string& path) {
    return model(group('"' + path + '"', weight("x", "[1]")));
  };
  std::string flat = "[1";
  for (int i = 1; i < 100; ++i) flat += ",1";
  flat += "]";
  const std::string affine = R"("dtype": "float32", "quantization": {"dtype": "uint8"})";
  for (const Hostile& hostile :
       {Hostile{shard("../a.bin"), "the shard \"../a.bin\" is not the name of a file beside it"},
        Hostile{shard("/a.bin"), "is not the name of a file"},
        Hostile{shard(R"(b\\a.bin)"), "is not the name of a file"},
        Hostile{shard(".."), "is not the name of a file"},
        Hostile{shard(R"(a.bin\u0000)"), "is not the name of a file"},
        Hostile{shard(""), "is not the name of a file"},
        Hostile{model(group("7", "")), "the shard 7 is not the name of a file"},
        Hostile{model(group("", weight("x", "[1]"))), "a group of weights has no shards"},
        Hostile{model(group(R"("a.bin", "a.bin")", weight("x", "[2]"))),
                "lists the shard a.bin twice"},
        Hostile{model_of(weight("x", "[0]")), "x: the shape [0] is impossible"},
        Hostile{model_of(weight("x", "[-1]")), "x: the shape [-1] is impossible"},
        Hostile{model_of(weight("x", "[1.5]")), "x: the shape [1.5] is impossible"},
        Hostile{model_of(weight("x", "[18446744073709551615]")), "is impossible"},
        Hostile{model_of(weight("x", "[2147483647,2147483647,2147483647]")), "is impossible"},
        Hostile{model_of(weight("x", "[2147483647]")), "x needs 8589934588 bytes, 4 are left"},
        Hostile{model_of(weight("x", "7")), "shape is no list"},
        Hostile{model_of(weight("x", flat)), "x: has 100 dimensions"},
        Hostile{model_of(weight("", "[1]")), "a weight's name is no readable text"},
        Hostile{model_of(weight(R"(x\u001b)", "[1]")), "a weight's name is no readable text"},
        Hostile{model_of(weight("x", "[1]", R"("dtype": "int32")")), "the type \"int32\""},
        Hostile{model_of(weight("x", "[1]", R"("dtype": 1)")), "a weight's dtype is no text"},
        Hostile{model_of(weight("x", "[1]", affine)), "x: is quantized; use the float32"},
        Hostile{model_of("7"), "a weight's name is no text"},
        Hostile{model("7"), "paths is no list"},
        Hostile{R"({"weightsManifest": 7})", "weightsManifest is no list"},
        Hostile{R"({"format": "graph-model", "weightsManifest": []})", "no layers-model"},
        Hostile{R"({"weightsManifest": []})", "holds no tensors"},
        Hostile{R"({"weightsManifest": [)", "is not JSON"},
        Hostile{R"({"a": )" + std::string(100000, '[') + R"("weightsManifest")",
                "the JSON is nested too deeply"},
        Hostile{R"({"weightsManifest": [)" + std::string(5 << 20, ' ') + "]}",
                "a model.json at most 4194304"}}) {
    CAPTURE(hostile.json.substr(0, 300));
    const std::string message = folder_refusal(hostile.json, {{"a.bin", floats(1)}});
    CAPTURE(message);
    CHECK(contains(message, hostile.message));
    CHECK(message.find('\n') == std::string::npos);
  }
  const std::string twice = weight("a/b", "[1]") + "," + weight("a.b", "[1]");
  CHECK(contains(folder_refusal(model_of(twice), {{"a.bin", floats(2)}}),
                 "two weights are called a.b"));
}
