// Files that pretend to be PyTorch's. The pickles are written by hand; `c` names a function, `R`
// calls it, `.` ends.
#include <doctest/doctest.h>

#include "tests/support/file_bytes.h"
#include "tests/support/paths.h"
#include "tests/support/refusal.h"

using namespace mend;
using namespace mend::test;
using namespace std::string_literals;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string zip_with(const std::string& pickle) { return zip_of({{"archive/data.pkl", pickle}}); }

struct HostilePickle {
  std::string pickle, message;
};

// clang-format off
const HostilePickle kPickles[] = {
    // calls
    {"\x80\x02"s + "cos\nsystem\n(X\x04\0\0\0echotR."s, "calls os.system, which is not allowed"},
    {"\x80\x02(S'echo'\nios\nsystem\n."s, "calls os.system, which is not allowed"},
    {"\x80\x02(cos\nsystem\nS'echo'\no."s, "calls os.system, which is not allowed"},
    {"\x80\x04\x8c\x02os\x8c\x06system\x93)R."s, "calls os.system, which is not allowed"},
    {"\x80\x02" "cbuiltins\neval\n(S'1'\ntR."s, "calls builtins.eval, which is not allowed"},
    {"\x80\x02" "ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nN)NtR."s,
     "calls os.system, which is not allowed"},
    {"\x80\x02" "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\n"
     "N(cos\nsystem\nN)NtNtR."s, "calls itself"},
    {"\x80\x02}cos\nsystem\n)R."s, "calls os.system"},
    {"\x80\x02})R."s, "the name of a function or class was expected"},
    {"\x80\x02" "ctorch\nSize\n)R."s, "torch.Size is called without arguments"},
    // the machine
    {"\x80\x02."s, "the stack is empty"},
    {"\x80\x02(}0.0."s, "the stack is empty"},
    {"\x80\x02t."s, "the stack has no mark"},
    {"\x80\x02h\x07."s, "the memo has no value 7"},
    {"\x80\x02N(K\x01K\x01u."s, "in no dictionary"},
    {"\x80\x02}(K\x01u."s, "a key without a value"},
    {"\x80\x02NNa."s, "appended to no list"},
    {"\x80\x02\xff."s, "unknown pickle instruction 0xff"},
    {"\x80\x02\x82\x01."s, "unknown pickle instruction 0x82"},  // EXT1, the extension registry
    {"\x80\x09."s, "unknown pickle protocol"},
    {"\x80\x02X\xff\xff\xff\x7f."s, "too long"},
    {"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff."s, "too long"},
    {"\x80\x02Ix\n."s, "not a 64-bit integer"},
    {"\x80\x02Sx\n."s, "not quoted"},
    // persistent ids and tensors
    {"\x80\x02NQ."s, "refers to something outside the pickle"},
    {"\x80\x02(U\x07storagectorch\nFloatStorage\nU\x01" "0U\x03" "cpuJ\xff\xff\xff\xfftQ."s,
     "a storage is not described"},
    {"\x80\x02(U\x07storageccustom\nStorage\nU\x01" "0U\x03" "cpuK\x01tQ."s,
     "the storage type custom.Storage is not supported"},
    {"\x80\x02(U\x07storagectorch\nFloatStorage\nU\x01" "0U\x03" "cpuK\x04(U\x01" "1K\x02K\x03ttQ."s,
     "a view leaves storage 0"},
    {"\x80\x02" "ctorch._utils\n_rebuild_tensor_v2\n(NK\x00)tR."s, "a tensor is not made of"},
    // objects
    {"\x80\x02}."s, "holds no tensors"},
    {"\x80\x02" "cevil\nClass\n)\x81}b."s, "holds no tensors"},  // an inert record
};
// clang-format on

/// A tensor "w" with these extents, strides and offset in a storage of 4 floats.
std::string tensor_pickle(const std::string& offset, const std::string& shape,
                          const std::string& strides) {
  return "\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n"
         "((U\x07storagectorch\nFloatStorage\nU\x01"
         "0U\x03"
         "cpuK\x04tQ"s +
         "I" + offset + "\n(" + shape + "t(" + strides + "t\x89NtRs."s;
}

std::string zip_tensor(const std::string& offset, const std::string& shape,
                       const std::string& strides) {
  return zip_of({{"a/data.pkl", tensor_pickle(offset, shape, strides)},
                 {"a/data/0", bytes_of(std::vector<float>{0, 1, 2, 3})}});
}

}  // namespace

TEST_CASE("pickle: what is not allowed is refused by name, in both formats") {
  for (const HostilePickle& hostile : kPickles) {
    CAPTURE(hostile.message);
    for (const std::string& file : {zip_with(hostile.pickle), legacy_of(hostile.pickle)}) {
      const std::string message = refusal(file);
      CAPTURE(message);
      CHECK(contains(message, hostile.message));
    }
  }
}

TEST_CASE("pickle: circles and deep nesting end in a message") {
  const std::string circle = "\x80\x02}q\x01U\x05modelh\x01s."s;  // d = {"model": d}
  CHECK(contains(refusal(legacy_of(circle)), "nested too deeply"));

  std::string deep = "\x80\x02"s;
  for (int i = 0; i < 100000; ++i) deep += "}U\x01x"s;
  deep += "N" + std::string(100000, 's') + ".";
  CHECK(contains(refusal(legacy_of(deep)), "nested too deeply"));

  // Each dictionary holds the one before twice: 2^50 paths lead to the first.
  std::string doubling = "\x80\x02}q\0"s;
  for (int i = 0; i < 50; ++i) {
    const char previous = static_cast<char>(i), next = static_cast<char>(i + 1);
    doubling += "}q"s + next +
                "(U\x01"
                "ah"s +
                previous +
                "U\x01"
                "bh"s +
                previous + "u";
  }
  CHECK(contains(refusal(legacy_of(doubling + ".")), "nested too deeply"));
}

TEST_CASE("pickle: a program without end is cut off") {
  std::string growing = "\x80\x02(N"s + std::string(3'000'000, '2') + "t.";
  CHECK(contains(refusal(legacy_of(growing)), "larger than any checkpoint needs"));
  growing = "\x80\x02"s + std::string(3'000'000, '(') + ".";
  CHECK(contains(refusal(legacy_of(growing)), "larger than any checkpoint needs"));
  growing = "\x80\x02"s + std::string(3'000'000, ']') + ".";
  CHECK(contains(refusal(legacy_of(growing)), "larger than any checkpoint needs"));
}

TEST_CASE("torch: a tensor must lie inside its storage") {
  CHECK(refusal(zip_tensor("0", "K\x02K\x02", "K\x02K\x01")) == "");
  CHECK(refusal(zip_tensor("0", "K\x02K\x02", "K\x01K\x02")) == "");
  CHECK(refusal(zip_tensor("3", "K\x01", "K\x01")) == "");
  CHECK(
      contains(refusal(zip_tensor("4", "K\x01", "K\x01")), "w: shape [1], strides [1], offset 4"));
  CHECK(contains(refusal(zip_tensor("-1", "K\x01", "K\x01")), "leave the storage of 4 elements"));
  CHECK(contains(refusal(zip_tensor("0", "K\x02", "K\x04")), "leave the storage of 4 elements"));
  CHECK(contains(refusal(zip_tensor("0", "K\x02", "I-1\n")), "leave the storage"));
  CHECK(contains(refusal(zip_tensor("0", "K\x02", "I9223372036854775807\n")), "leave the storage"));
  CHECK(contains(refusal(zip_tensor("0", "I-2\n", "K\x01")), "is impossible"));
  CHECK(contains(refusal(zip_tensor("0", "K\x02K\x02", "K\x01")), "2 extents but 1 strides"));
  CHECK(contains(refusal(zip_tensor("0", "I1000000000\n", "K\0"s)), "too often"));
  CHECK(contains(refusal(zip_tensor("0", "I4294967296\nI4294967296\n", "K\0K\0"s)), "impossible"));
}

TEST_CASE("torch: storages shared beyond reason are refused") {
  // Two tensors that repeat one element 16 million times: 128 MB of numbers from 16 bytes.
  const std::string tensor = tensor_pickle("0", "I16777216\n", "K\0"s);
  const std::string value = tensor.substr(6, tensor.size() - 8);  // between `}U\x01w` and `s.`
  const std::string pickle =
      "\x80\x02}U\x01"
      "a"s +
      value +
      "sU\x01"
      "b"s +
      value + "s."s;
  const std::string data = bytes_of(std::vector<float>{0, 1, 2, 3});
  CHECK(contains(refusal(zip_of({{"a/data.pkl", pickle}, {"a/data/0", data}})),
                 "share storages too often"));
}

TEST_CASE("torch zip: damaged and dishonest archives are refused") {
  const std::string pickle = tensor_pickle("0", "K\x04", "K\x01");
  const std::string data = bytes_of(std::vector<float>{0, 1, 2, 3});
  CHECK(contains(refusal(zip_of({{"a/data.pkl", pickle}})),
                 "a/data/0: cannot be read: it is missing"));
  CHECK(contains(refusal(zip_of({{"readme.txt", "hello"}})), "a zip archive with 0 data.pkl"));
  CHECK(contains(refusal(zip_of({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}})),
                 "with 2 data.pkl"));
  CHECK(contains(refusal(zip_of({{"a/data.pkl", pickle}, {"a/data/0", data.substr(4)}})),
                 "has 12 bytes, w needs 4 elements of F32"));
  CHECK(contains(refusal(zip_of({{"a/data.pkl", pickle}, {"a/data/0", data}, {"a/data/0", data}})),
                 "the archive has it twice"));
  for (const char* name : {"/a/data/0", "a/../data/0", "a\\data\\0"}) {
    CAPTURE(name);
    CHECK(contains(refusal(zip_of({{"a/data.pkl", pickle}, {name, data}})), "an odd name"));
  }
  CHECK(contains(refusal(zip_of({{"a/data.pkl", pickle}, {"a/byteorder", "big"}})), "big-endian"));

  std::string damaged = zip_of({{"a/data.pkl", pickle}, {"a/data/0", data}});
  damaged[damaged.find(data)] ^= 1;
  CHECK(contains(refusal(damaged), "a/data/0: cannot be read"));  // its CRC is wrong
}

TEST_CASE("torch zip: a zip bomb is refused before it is unpacked") {
  const ZipEntry bomb{"a/data/0", std::string(1000, '\0'), 0xF0000000};
  CHECK(contains(refusal(zip_of({{"a/data.pkl", "\x80\x02}."}, bomb})), "a zip bomb?"));
}

TEST_CASE("torch: a file truncated at any byte is refused") {
  for (const char* name : {"torch/tiny_zip.pth", "torch/tiny_legacy.pth"}) {
    CAPTURE(name);
    const std::string file = read_file(data_path(name));
    REQUIRE(refusal(file) == "");
    for (std::size_t length = 0; length < file.size(); ++length) {
      CAPTURE(length);
      CHECK(refusal(file.substr(0, length)) != "");
    }
  }
}

TEST_CASE("torch: a flipped bit never does worse than a refusal") {
  for (const char* name : {"torch/tiny_zip.pth", "torch/tiny_legacy.pth", "torch/module.pth"}) {
    std::string file = read_file(data_path(name));
    for (std::size_t i = 0; i < file.size(); ++i) {
      file[i] ^= static_cast<char>(1 << (i % 8));
      CHECK_NOTHROW(refusal(file));
      file[i] ^= static_cast<char>(1 << (i % 8));
    }
  }
}
