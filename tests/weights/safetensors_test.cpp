#include "weights/safetensors.h"

#include <doctest/doctest.h>

#include <limits>

#include "engine/error.h"
#include "tests/support/file_bytes.h"
#include "tests/support/paths.h"
#include "tests/support/refusal.h"

using namespace mend;
using namespace mend::test;

namespace {

const std::string kEightBytes(8, '\0');

/// A small valid file: a [1,2], b [1] of f32.
std::string small_file() {
  return safetensors_of(
      R"({"__metadata__":{"by":"hand"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
      bytes_of(std::vector<float>{1, 2, 3}));
}

struct Hostile {
  const char* header;
  const char* message;
};

// All before 8 bytes of data.
// clang-format off
constexpr Hostile kHostile[] = {
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}})", "a: data_offsets [0,12] are outside"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", "a: data_offsets [8,0] are outside"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", "a: [1] of type F32 needs 4 bytes"},
    {R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "a: shape must be"},
    {R"({"a":{"dtype":"F32","shape":[0.5],"data_offsets":[0,8]}})", "a: shape must be"},
    {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", "is impossible"},
    {R"({"a":{"dtype":"F32","shape":[9223372036854775807,2],"data_offsets":[0,8]}})", "is impossible"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}})", "data_offsets must be"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", "are outside"},
    {R"({"a":{"dtype":"F8","shape":[8],"data_offsets":[0,8]}})", "a: the type F8 is not supported"},
    {R"({"a":{"dtype":7,"shape":[8],"data_offsets":[0,8]}})", "a: dtype is not a string"},
    {R"({"a":{"shape":[2],"data_offsets":[0,8]}})", "a: the header does not give its dtype"},
    {R"({"a":[1]})", "a: the header does not give its dtype"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "the tensors end at byte 4, the data section at 8"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "a: bytes 4..8 leave a hole after the header"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
     "b: bytes 4..8 overlap a, which ends at 8"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
     "the header has the key a twice"},
    {R"({"a":{"dtype":"U8","dtype":"I8","shape":[8],"data_offsets":[0,8]}})", "the header has the key dtype twice"},
    {R"({"a":{"dtype":"U8","shape":[[[8]]],"data_offsets":[0,8]}})", "nested too deeply"},
    {R"({"a":{"dtype":"F32")", "the header is not JSON"},
    {R"({"__metadata__":[],"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", "__metadata__ is not"},
    {R"({"__metadata__":{"k":1},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", "k is not a string"},
    {R"({"a\u001b[2J":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", "no readable text"},
};
// clang-format on

}  // namespace

TEST_CASE("safetensors: a small file is read, with its metadata") {
  const TemporaryFolder folder;
  write_file(folder / "a.safetensors", small_file());
  const Checkpoint checkpoint = read_checkpoint(folder / "a.safetensors");
  CHECK(checkpoint.format == "safetensors");
  CHECK(checkpoint.metadata.at("by") == "hand");
  CHECK(checkpoint.tensors.at("a").to_f32() == std::vector<float>{1, 2});
  CHECK(checkpoint.tensors.at("b").to_f32() == std::vector<float>{3});
}

TEST_CASE("safetensors: a file truncated at any byte is refused") {
  const std::string file = small_file();
  for (std::size_t length = 0; length < file.size(); ++length) {
    CAPTURE(length);
    CHECK(refusal(file.substr(0, length)) != "");
  }
  CHECK(refusal(file) == "");
}

TEST_CASE("safetensors: a header longer than the file is rejected") {
  for (const std::uint64_t claimed : {std::uint64_t{1} << 20, std::uint64_t{1} << 47,
                                      std::numeric_limits<std::uint64_t>::max()}) {
    CAPTURE(claimed);
    CHECK(refusal(bytes_of(claimed) + "{}      ").find("the header claims") != std::string::npos);
  }
}

TEST_CASE("safetensors: each fault of a header has its own message") {
  for (const Hostile& hostile : kHostile) {
    CAPTURE(hostile.header);
    const std::string message = refusal(safetensors_of(hostile.header, kEightBytes));
    CAPTURE(message);
    CHECK(message.find(hostile.message) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("safetensors: NaN and infinity are refused in every floating type") {
  const std::string nan16 = bytes_of(std::uint16_t{0x7E00}),
                    inf16 = bytes_of(std::uint16_t{0x7F80});
  const auto file = [](const std::string& type, const std::string& data) {
    return safetensors_of(R"({"w":{"dtype":")" + type + R"(","shape":[1],"data_offsets":[0,)" +
                              std::to_string(data.size()) + "]}}",
                          data);
  };
  CHECK(refusal(file("F16", nan16)).find("w: element 0 of [1] is nan") != std::string::npos);
  CHECK(refusal(file("BF16", inf16)).find("w: element 0 of [1] is inf") != std::string::npos);
  CHECK(refusal(file("F64", bytes_of(std::numeric_limits<double>::infinity()))) != "");
  CHECK(refusal(file("F32", bytes_of(1.0f))) == "");
}

TEST_CASE("safetensors: what is written is read back") {
  const TemporaryFolder folder;
  std::map<std::string, StoredTensor> tensors;
  tensors["x"] = make_stored_tensor({2, 2}, {1, 2, 3, 4});
  tensors["transposed"] = tensors["x"];
  tensors["transposed"].strides = {1, 2};
  tensors["odd"] = make_stored_tensor("odd", StoredType::kU8, {3},
                                      Bytes::own({std::byte{1}, std::byte{2}, std::byte{3}}));
  write_safetensors(folder / "t.safetensors", tensors, {{"note", "\"quoted\" \xff"}});
  const Checkpoint back = read_checkpoint(folder / "t.safetensors");
  CHECK(back.tensors.at("x").to_f32() == std::vector<float>{1, 2, 3, 4});
  CHECK(back.tensors.at("transposed").to_f32() == std::vector<float>{1, 3, 2, 4});
  CHECK(back.tensors.at("odd").to_i64() == std::vector<std::int64_t>{1, 2, 3});
  CHECK(back.metadata.contains("note"));
}

TEST_CASE("safetensors: a full disk is a WriteError") {
  if (!require_data("/dev/full")) return;
  const std::map<std::string, StoredTensor> tensors = {{"x", make_stored_tensor({1}, {1})}};
  CHECK_THROWS_AS(write_safetensors("/dev/full", tensors, {}), WriteError);
  CHECK_THROWS_AS(write_safetensors("/nowhere/at/all.safetensors", tensors, {}), WriteError);
}
