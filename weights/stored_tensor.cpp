// Extents, strides and conversion of stored tensors.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "engine/dtype.h"
#include "engine/error.h"
#include "weights/checkpoint.h"

namespace mend {
namespace {

struct TypeFacts {
  std::string_view name;
  std::int64_t bytes;
  bool floating;
};
// In the order of StoredType.
constexpr std::array<TypeFacts, 10> kTypes = {{{"F64", 8, true},
                                               {"F32", 4, true},
                                               {"F16", 2, true},
                                               {"BF16", 2, true},
                                               {"I64", 8, false},
                                               {"I32", 4, false},
                                               {"I16", 2, false},
                                               {"I8", 1, false},
                                               {"U8", 1, false},
                                               {"BOOL", 1, false}}};

const TypeFacts& facts(StoredType type) { return kTypes[static_cast<std::size_t>(type)]; }

// A stride of 0 repeats elements, so a tensor can be larger than its file. The largest networks
// have about 2^28 parameters; no repeated tensor of theirs comes near this bound.
constexpr std::int64_t kMostRepeatedElements = std::int64_t{1} << 24;
constexpr std::int64_t kMostElements = std::int64_t{1} << 40;
constexpr std::size_t kMostDimensions = 16;

/// Calls visit(pointer to the element) for all elements in row-major order.
template <class Visit>
void for_each_element(const StoredTensor& tensor, Visit visit) {
  const std::int64_t count = tensor.elements();
  const std::int64_t bytes = size_of(tensor.type);
  const std::byte* first = tensor.storage->data() + tensor.offset * bytes;
  if (tensor.strides == dense_strides(tensor.shape)) {
    for (std::int64_t i = 0; i < count; ++i) visit(first + i * bytes);
    return;
  }
  std::vector<std::int64_t> index(tensor.shape.size(), 0);
  std::int64_t position = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    visit(first + position * bytes);
    for (std::size_t d = index.size(); d-- > 0;) {  // an odometer: the last extent turns fastest
      position += tensor.strides[d];
      if (++index[d] < tensor.shape[d]) break;
      position -= tensor.strides[d] * tensor.shape[d];
      index[d] = 0;
    }
  }
}

/// The stored number at `element`, which may be unaligned.
template <class T>
T load(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof(T));
  return value;
}

/// Calls visit(value) for all elements, each as its own C++ type (Half and BFloat16 for the
/// 16-bit floats, std::uint8_t for bool).
template <class Visit>
void for_each_value(const StoredTensor& tensor, Visit visit) {
  const auto as = [&]<class T>(T) {
    for_each_element(tensor, [&](const std::byte* element) { visit(load<T>(element)); });
  };
  switch (tensor.type) {
    case StoredType::kF64:
      return as(double{});
    case StoredType::kF32:
      return as(float{});
    case StoredType::kF16:
      return as(Half{});
    case StoredType::kBF16:
      return as(BFloat16{});
    case StoredType::kI64:
      return as(std::int64_t{});
    case StoredType::kI32:
      return as(std::int32_t{});
    case StoredType::kI16:
      return as(std::int16_t{});
    case StoredType::kI8:
      return as(std::int8_t{});
    case StoredType::kU8:
    case StoredType::kBool:
      return as(std::uint8_t{});
  }
}

template <class T>
float as_float(T value) {
  return static_cast<float>(value);
}
float as_float(Half value) { return to_float(value); }
float as_float(BFloat16 value) { return to_float(value); }

/// The number of elements; throws if an extent is negative or there are too many.
std::int64_t checked_elements(const std::string& name, const std::vector<std::int64_t>& shape) {
  if (shape.size() > kMostDimensions) {
    throw CheckpointError(fmt::format("{}: has {} dimensions, at most {} are supported", name,
                                      shape.size(), kMostDimensions));
  }
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(elements, extent, &elements) ||
        elements > kMostElements) {
      throw CheckpointError(fmt::format("{}: the shape {} is impossible", name, to_string(shape)));
    }
  }
  return elements;
}

}  // namespace

std::int64_t size_of(StoredType type) { return facts(type).bytes; }
std::string_view name_of(StoredType type) { return facts(type).name; }
bool is_floating(StoredType type) { return facts(type).floating; }

std::string to_string(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

std::vector<std::int64_t> dense_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

StoredTensor make_stored_tensor(const std::string& name, StoredType type,
                                std::vector<std::int64_t> shape, std::vector<std::int64_t> strides,
                                std::int64_t offset, std::shared_ptr<const Bytes> storage) {
  const std::int64_t elements = checked_elements(name, shape);
  if (strides.size() != shape.size()) {
    throw CheckpointError(
        fmt::format("{}: has {} extents but {} strides", name, shape.size(), strides.size()));
  }
  const std::int64_t stored = static_cast<std::int64_t>(storage->size()) / size_of(type);
  std::int64_t last = offset;  // the farthest element
  bool inside = offset >= 0;
  for (std::size_t d = 0; d < shape.size() && elements > 0; ++d) {
    std::int64_t reach = 0;
    inside = inside && strides[d] >= 0 &&
             !__builtin_mul_overflow(shape[d] - 1, strides[d], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
  }
  if (!inside || (elements > 0 && last >= stored) || offset > stored) {
    throw CheckpointError(
        fmt::format("{}: shape {}, strides {}, offset {} leave the storage of {} elements", name,
                    to_string(shape), to_string(strides), offset, stored));
  }
  if (elements > std::max(stored, kMostRepeatedElements)) {
    throw CheckpointError(fmt::format("{}: shape {} repeats a storage of {} elements too often",
                                      name, to_string(shape), stored));
  }
  // An empty tensor has no elements to walk: any strides are as good, and dense ones can't overflow.
  if (elements == 0) strides.assign(shape.size(), 0);
  return {type, std::move(shape), std::move(strides), offset, std::move(storage)};
}

StoredTensor make_stored_tensor(const std::string& name, StoredType type,
                                std::vector<std::int64_t> shape,
                                std::shared_ptr<const Bytes> storage) {
  const std::int64_t elements = checked_elements(name, shape);
  if (elements * size_of(type) != static_cast<std::int64_t>(storage->size())) {
    throw CheckpointError(fmt::format("{}: {} of type {} needs {} bytes, the file gives it {}",
                                      name, to_string(shape), name_of(type),
                                      elements * size_of(type), storage->size()));
  }
  std::vector<std::int64_t> strides = dense_strides(shape);
  return make_stored_tensor(name, type, std::move(shape), std::move(strides), 0,
                            std::move(storage));
}

StoredTensor make_stored_tensor(std::vector<std::int64_t> shape, const std::vector<float>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return make_stored_tensor("tensor", StoredType::kF32, std::move(shape),
                            Bytes::own({bytes.begin(), bytes.end()}));
}

StoredTensor permuted(const std::string& name, const StoredTensor& tensor,
                      const std::vector<std::size_t>& order) {
  std::vector<std::int64_t> shape, strides;
  for (const std::size_t d : order) {
    shape.push_back(tensor.shape[d]);
    strides.push_back(tensor.strides[d]);
  }
  return make_stored_tensor(name, tensor.type, std::move(shape), std::move(strides), tensor.offset,
                            tensor.storage);
}

std::int64_t StoredTensor::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

std::vector<float> StoredTensor::to_f32() const {
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(elements()));
  for_each_value(*this, [&](auto value) { values.push_back(as_float(value)); });
  return values;
}

std::vector<std::int64_t> StoredTensor::to_i64() const {
  if (is_floating(type)) {
    throw CheckpointError(fmt::format("a tensor of type {} was asked for integers", name_of(type)));
  }
  std::vector<std::int64_t> values;
  values.reserve(static_cast<std::size_t>(elements()));
  for_each_value(*this, [&]<class T>(T value) {
    if constexpr (std::is_integral_v<T>) values.push_back(static_cast<std::int64_t>(value));
  });
  return values;
}

std::vector<std::byte> StoredTensor::to_bytes() const {
  const std::size_t bytes = static_cast<std::size_t>(size_of(type));
  std::vector<std::byte> packed;
  packed.reserve(static_cast<std::size_t>(elements()) * bytes);
  for_each_element(*this, [&](const std::byte* element) {
    packed.insert(packed.end(), element, element + bytes);
  });
  return packed;
}

}  // namespace mend
