#include "restore/tensor_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"
#include "weights/checkpoint.h"
#include "weights/safetensors.h"

namespace mend {
namespace {

/// Calls body(nchw index, view of the element's place) for every element.
template <class Body>
void for_each_element(const Shape& s, const Body& body) {
  std::size_t i = 0;
  for (int n = 0; n < s.n; ++n) {
    for (int c = 0; c < s.c; ++c) {
      for (int h = 0; h < s.h; ++h) {
        for (int w = 0; w < s.w; ++w) body(i++, n, h, w, c);
      }
    }
  }
}

Shape shape_of(const std::string& path, const std::string& name,
               const std::vector<std::int64_t>& stored) {
  constexpr std::int64_t kLargest = 1 << 24;
  for (const std::int64_t extent : stored) {
    if (extent < 1 || extent > kLargest) {
      throw InputError(fmt::format("{}: {} has the extents {}; every one must be in 1..{}", path,
                                   name, to_string(stored), kLargest));
    }
  }
  const auto at = [&](std::size_t i) { return static_cast<int>(stored[i]); };
  switch (stored.size()) {
    case 0:
      return {1, 1, 1, 1};
    case 1:
      return {1, 1, 1, at(0)};
    case 2:
      return {1, 1, at(0), at(1)};
    case 3:
      return {1, at(1), at(2), at(0)};
    case 4:
      return {at(0), at(2), at(3), at(1)};
    default:
      throw InputError(fmt::format("{}: {} has the extents {}; at most four can be used", path,
                                   name, to_string(stored)));
  }
}

StoredTensor stored_image(const Tensor& tensor) {
  const Shape& s = tensor.shape();
  const View<const float> x = tensor.view<const float>();
  std::vector<float> values(static_cast<std::size_t>(s.elements()));
  for_each_element(s,
                   [&](std::size_t i, int n, int h, int w, int c) { values[i] = x(n, h, w, c); });
  return make_stored_tensor({s.n, s.c, s.h, s.w}, values);
}

StoredTensor stored_tokens(const Tensor& tensor) {
  const Shape& s = tensor.shape();
  const View<const float> x = tensor.view<const float>();
  std::vector<float> values;
  for (int n = 0; n < s.n; ++n)
    for (int t = 0; t < s.w; ++t) {
      values.insert(values.end(), x.pixel(n, 0, t), x.pixel(n, 0, t) + s.c);
    }
  return make_stored_tensor({s.n, s.w, s.c}, values);
}

}  // namespace

std::map<std::string, Tensor> read_tensors(const std::string& path) {
  Checkpoint file;
  try {
    file = read_safetensors(path, Bytes::map(path));
  } catch (const CheckpointError& error) {
    throw InputError(error.what());
  }
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, stored] : file.tensors) {
    const Shape shape = shape_of(path, name, stored.shape);
    const std::vector<float> values = stored.to_f32();
    Tensor tensor = Tensor::empty(shape);
    const View<float> x = tensor.view<float>();
    if (stored.shape.size() == 2) {
      std::copy(values.begin(), values.end(), x.data);
    } else {
      for_each_element(
          shape, [&](std::size_t i, int n, int h, int w, int c) { x(n, h, w, c) = values[i]; });
    }
    tensors[name] = tensor;
  }
  return tensors;
}

void write_tensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                   const std::vector<std::string>& tokens,
                   const std::map<std::string, StoredTensor>& more) {
  std::map<std::string, StoredTensor> stored = more;
  for (const auto& [name, tensor] : tensors) {
    const bool is_tokens = std::find(tokens.begin(), tokens.end(), name) != tokens.end();
    stored[name] = is_tokens ? stored_tokens(tensor) : stored_image(tensor);
  }
  write_safetensors(path, stored, {});
}

}  // namespace mend
