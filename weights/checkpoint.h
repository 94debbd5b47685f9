// A checkpoint: named tensors as they are stored in a file, before a network claims them.
//
//   read_checkpoint("net.pth") ─ format from the content ─ unwrap containers ─ strip prefixes ─ NaN?
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weights/bytes.h"

namespace mend {

/// Element types that checkpoints store; kBool is one byte an element.
enum class StoredType : std::uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

/// Bytes of one element.
std::int64_t size_of(StoredType type);
/// safetensors' names: "F32", "BF16", "I64", "BOOL" ...
std::string_view name_of(StoredType type);
bool is_floating(StoredType type);

/// A strided view of a storage that other tensors may share. Element (i0, i1, ...) is element
/// offset + i0·strides[0] + i1·strides[1] + ... of the storage. make_stored_tensor has checked that
/// all of them lie inside.
struct StoredTensor {
  StoredType type = StoredType::kF32;
  std::vector<std::int64_t>
      shape;  ///< as in the file: PyTorch's order (OIHW, NCHW); {} is a scalar
  std::vector<std::int64_t> strides;  ///< in elements, one an extent
  std::int64_t offset = 0;            ///< in elements
  std::shared_ptr<const Bytes> storage;

  std::int64_t elements() const;
  /// All elements, rounded to f32, in row-major order of `shape`.
  std::vector<float> to_f32() const;
  /// All elements of an integer or bool tensor in row-major order; throws CheckpointError for floats.
  std::vector<std::int64_t> to_i64() const;
  /// All elements in row-major order, as the little-endian bytes of `type`.
  std::vector<std::byte> to_bytes() const;
};

/// Checks extents (not negative, at most 2^40 elements) and that every element lies in the storage.
/// `name` is for the errors, which are CheckpointErrors. Storages are little-endian, any alignment.
StoredTensor make_stored_tensor(const std::string& name, StoredType type,
                                std::vector<std::int64_t> shape, std::vector<std::int64_t> strides,
                                std::int64_t offset, std::shared_ptr<const Bytes> storage);
/// The same for a dense tensor that fills its storage exactly.
StoredTensor make_stored_tensor(const std::string& name, StoredType type,
                                std::vector<std::int64_t> shape,
                                std::shared_ptr<const Bytes> storage);
/// A dense f32 tensor from values in row-major order.
StoredTensor make_stored_tensor(std::vector<std::int64_t> shape, const std::vector<float>& values);

/// The same elements with extent order[d] at place d, as torch.permute; shares the storage.
StoredTensor permuted(const std::string& name, const StoredTensor& tensor,
                      const std::vector<std::size_t>& order);

/// Strides of a dense row-major tensor.
std::vector<std::int64_t> dense_strides(const std::vector<std::int64_t>& shape);
/// "[32,96,3,3]"
std::string to_string(const std::vector<std::int64_t>& shape);

struct Checkpoint {
  std::string path;
  std::string format;  ///< "safetensors", "torch zip", "torch legacy", "ncnn", "graphdef", "tfjs"
  std::map<std::string, StoredTensor> tensors;
  /// safetensors' `__metadata__`, or the scalars beside the tensors of a .pth ("epoch": "50").
  std::map<std::string, std::string> metadata;
  std::string graph;  ///< text of an ncnn .param, else empty; parse_ncnn_param reads it
  std::string stripped_prefix = {};  ///< what strip_prefixes took off every key
};

/// Reads any supported checkpoint. The format is recognised from the content, never from the name;
/// for ncnn either file of the pair may be given. Then prefixes are stripped and floats checked.
/// Throws CheckpointError in one line that names the file.
Checkpoint read_checkpoint(const std::string& path);
/// The same for a safetensors file in memory; `name` is what messages call it.
Checkpoint read_checkpoint(const std::string& name, std::shared_ptr<const Bytes> bytes);

/// Throws CheckpointError naming the first key and element that is NaN or infinite.
void check_finite(const Checkpoint& checkpoint);

/// Removes `module.`, `netG.` or `generator.` from the keys if all of them bear it; repeated.
void strip_prefixes(Checkpoint& checkpoint);

}  // namespace mend
