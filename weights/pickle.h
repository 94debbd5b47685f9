// Python's pickle format as plain data: an unpickler that cannot execute anything.
//
// A pickle is a program for a small stack machine. Two of its instructions make Python dangerous:
// GLOBAL names any function of any module, REDUCE calls it. Here GLOBAL only remembers the name, and
// REDUCE asks a PickleHost, which knows a short list of calls and their meaning as data. Objects of
// unknown classes become inert records.
//
//   "c torch._utils\n_rebuild_tensor_v2" ─ Global    "R" ─ host.call(name, arguments) ─ TensorValue
//
// Source: Python's pickletools.py, which describes each opcode. Protocols 0 to 5 are understood.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "weights/bytes.h"
#include "weights/checkpoint.h"

namespace mend::pickle {

struct Value;
/// Values belong to an Arena and may point to each other in circles.
using Items = std::vector<Value*>;
using Entries = std::vector<std::pair<Value*, Value*>>;

struct None {};
/// A function or class by its name "module.name"; never looked up.
struct Global {
  std::string name;
};
/// An integer of more than 64 bits: "119547037146038801333356" or "0x1950a8..." as it was written.
struct LongInteger {
  std::string digits;
};
struct Tuple {
  Items items;
};
/// A list or a set.
struct List {
  Items items;
};
struct Dict {
  Entries entries;
};
/// An object of a class that we do not know, or the result of an inert call.
struct Record {
  std::string class_name;
  Items arguments;
  Value* state = nullptr;  ///< what BUILD gave it: usually a Dict of its attributes
  Items items;             ///< if it behaves like a list
  Entries entries;         ///< if it behaves like a dict
};
/// A PyTorch storage; its bytes lie elsewhere in the file, under `key`.
struct StorageValue {
  StoredType type = StoredType::kF32;
  std::string key;
  std::int64_t elements = 0;     ///< of the whole storage `key`
  std::int64_t view_offset = 0;  ///< this is the part [view_offset, view_offset + view_elements)
  std::int64_t view_elements = 0;
};
struct TensorValue {
  StorageValue storage;
  std::int64_t offset = 0;  ///< in elements, from the begin of the part
  std::vector<std::int64_t> shape, strides;
};

/// Text and bytes are both std::string.
struct Value {
  std::variant<None, bool, std::int64_t, double, std::string, LongInteger, Global, Tuple, List,
               Dict, Record, StorageValue, TensorValue>
      data;

  template <class T>
  T* as() {
    return std::get_if<T>(&data);
  }
  template <class T>
  const T* as() const {
    return std::get_if<T>(&data);
  }
};

/// Owns values, so that circles and deep nesting cost nothing when they are freed.
class Arena {
 public:
  template <class T>
  Value* make(T data) {
    return &values_.emplace_back(Value{std::move(data)});
  }
  std::size_t size() const { return values_.size(); }

 private:
  std::deque<Value> values_;  // never moves its elements
};

/// What the two outward-looking instructions mean. Both throw CheckpointError for what they refuse.
class PickleHost {
 public:
  virtual ~PickleHost() = default;
  /// What calling the function or class `callable` gives.
  virtual Value* call(Arena& arena, const std::string& callable, const Items& arguments) = 0;
  /// The object outside the pickle that `id` stands for.
  virtual Value* persistent(Arena& arena, Value* id) = 0;
};

/// Reads one pickle from `reader`, up to and with its STOP. The result lives as long as `arena`.
/// Throws CheckpointError if the bytes are not a pickle, or are larger than any checkpoint needs
/// (32 MiB of instructions, two million values).
Value* load(ByteReader& reader, Arena& arena, PickleHost& host);

}  // namespace mend::pickle
