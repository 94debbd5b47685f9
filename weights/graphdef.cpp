#include "weights/graphdef.h"

#include <fmt/format.h>

#include <optional>

#include "engine/error.h"

namespace mend {
namespace {

// Kinds of fields on the wire.
constexpr int kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

std::uint64_t read_varint(ByteReader& reader) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = reader.read<std::uint8_t>("a number");
    value |= static_cast<std::uint64_t>(byte & 0x7Fu) << shift;
    if ((byte & 0x80u) == 0) return value;
  }
  reader.fail("a number of more than 64 bits");
}

struct Field {
  int number = 0, kind = 0;
  std::uint64_t value = 0;           // of a varint
  std::span<const std::byte> bytes;  // of everything else
};

Field read_field(ByteReader& reader) {
  const std::uint64_t tag = read_varint(reader);
  Field field{static_cast<int>(tag >> 3 & 0xFFFFFFF), static_cast<int>(tag & 7), 0, {}};
  switch (field.kind) {
    case kVarint:
      field.value = read_varint(reader);
      return field;
    case kFixed64:
      field.bytes = reader.take(8, "8 bytes");
      return field;
    case kFixed32:
      field.bytes = reader.take(4, "4 bytes");
      return field;
    case kBytes: {
      const std::uint64_t count = read_varint(reader);
      field.bytes = reader.take(count, "a field");
      return field;
    }
    default:
      reader.fail("a field of an unknown kind");
  }
}

/// Calls body(field) for every field of a message.
template <class Body>
void for_each_field(std::span<const std::byte> message, const std::string& source,
                    const Body& body) {
  ByteReader reader(message, source);
  while (reader.remaining() > 0) body(read_field(reader));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// One constant as it is stored.
struct TensorProto {
  std::uint64_t dtype = 0;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> content;
};

constexpr std::uint64_t kFloat = 1;  // DT_FLOAT

std::vector<std::int64_t> read_shape(std::span<const std::byte> message,
                                     const std::string& source) {
  constexpr std::size_t kMostExtents = 8;
  std::vector<std::int64_t> shape;
  for_each_field(message, source, [&](const Field& dim) {
    if (dim.number != 2 || dim.kind != kBytes) return;
    if (shape.size() == kMostExtents) throw CheckpointError(source + ": has too many extents");
    std::int64_t size = 0;
    for_each_field(dim.bytes, source, [&](const Field& field) {
      if (field.number == 1 && field.kind == kVarint) size = static_cast<std::int64_t>(field.value);
    });
    shape.push_back(size);
  });
  return shape;
}

TensorProto read_tensor(std::span<const std::byte> message, const std::string& source) {
  TensorProto tensor;
  for_each_field(message, source, [&](const Field& field) {
    if (field.number == 1 && field.kind == kVarint) tensor.dtype = field.value;
    if (field.number == 2 && field.kind == kBytes) tensor.shape = read_shape(field.bytes, source);
    // One number alone stands in float_val (5) and not in tensor_content (4).
    if ((field.number == 4 && field.kind == kBytes) || field.number == 5) {
      tensor.content = field.bytes;
    }
  });
  return tensor;
}

struct Node {
  std::string name, op;
  std::optional<TensorProto> value;
};

Node read_node(std::span<const std::byte> message, const std::string& path) {
  Node node;
  for_each_field(message, path, [&](const Field& field) {
    if (field.kind != kBytes) return;
    if (field.number == 1) node.name = text_of(field.bytes);
    if (field.number == 2) node.op = text_of(field.bytes);
    if (field.number != 5) return;
    std::string key;
    const std::string source = fmt::format("{}: {}", path, node.name);
    for_each_field(field.bytes, source, [&](const Field& entry) {
      if (entry.kind != kBytes) return;
      if (entry.number == 1) key = text_of(entry.bytes);
      if (entry.number != 2 || key != "value") return;
      for_each_field(entry.bytes, source, [&](const Field& attribute) {
        if (attribute.number == 8 && attribute.kind == kBytes) {
          node.value = read_tensor(attribute.bytes, source);
        }
      });
    });
  });
  return node;
}

}  // namespace

bool looks_like_graphdef(std::span<const std::byte> file) {
  constexpr std::byte kFirstField{0x0A};  // field 1, bytes
  if (file.size() < 4 || file[0] != kFirstField) return false;
  std::size_t i = 1;
  while (i < 6 && i + 1 < file.size() && (file[i] & std::byte{0x80}) != std::byte{0}) ++i;
  return i + 1 < file.size() && file[i + 1] == kFirstField;
}

Checkpoint read_graphdef(const std::string& path, std::shared_ptr<const Bytes> file) {
  Checkpoint checkpoint{path, "graphdef", {}, {}, {}};
  for_each_field(file->span(), path, [&](const Field& field) {
    if (field.number != 1 || field.kind != kBytes) return;
    const Node node = read_node(field.bytes, path);
    if (node.op != "Const" || !node.value) return;
    if (node.value->dtype != kFloat || node.value->shape.empty()) return;
    const std::size_t begin = static_cast<std::size_t>(node.value->content.data() - file->data());
    const std::string name = fmt::format("{}: {}", path, node.name);
    StoredTensor stored = make_stored_tensor(
        name, StoredType::kF32, node.value->shape,
        Bytes::slice(file, node.value->content.empty() ? 0 : begin, node.value->content.size()));
    if (stored.shape.size() == 4) stored = permuted(name, stored, {3, 2, 0, 1});
    if (!checkpoint.tensors.emplace(node.name, std::move(stored)).second) {
      throw CheckpointError(fmt::format("{}: two nodes are called {}", path, node.name));
    }
  });
  return checkpoint;
}

}  // namespace mend
