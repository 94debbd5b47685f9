#include "engine/tensor.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"

namespace mend {

std::string to_string(const Shape& shape) {
  return fmt::format("[{},{},{},{}]", shape.n, shape.h, shape.w, shape.c);
}

Storage::Storage(std::size_t bytes, Device& device)
    : data_(static_cast<std::byte*>(device.allocate(bytes))),
      bytes_(bytes),
      device_(device),
      owned_(true) {}

Storage::Storage(void* data, std::size_t bytes, Device& device, std::shared_ptr<const void> owner)
    : data_(static_cast<std::byte*>(data)),
      bytes_(bytes),
      device_(device),
      owned_(false),
      owner_(std::move(owner)) {}

Storage::~Storage() {
  if (owned_) device_.free(data_, bytes_);
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device& device) {
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  return within(std::make_shared<Storage>(bytes, device), 0, shape, dtype);
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device& device) {
  Tensor tensor = empty(shape, dtype, device);
  device.fill(tensor.storage_->data(), 0, tensor.storage_->bytes());
  return tensor;
}

Tensor Tensor::full(const Shape& shape, float value) {
  Tensor tensor = empty(shape);
  std::fill_n(tensor.view<float>().data, shape.elements(), value);
  return tensor;
}

Tensor Tensor::from(const Shape& shape, std::span<const float> values) {
  if (static_cast<std::int64_t>(values.size()) != shape.elements()) {
    throw ShapeError(
        fmt::format("{} values do not fill a tensor of shape {}", values.size(), to_string(shape)));
  }
  Tensor tensor = empty(shape);
  std::copy(values.begin(), values.end(), tensor.view<float>().data);
  return tensor;
}

Tensor Tensor::within(std::shared_ptr<Storage> storage, std::int64_t byte_offset,
                      const Shape& shape, DType dtype) {
  Tensor tensor;
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.storage_ = std::move(storage);
  tensor.offset_ = byte_offset / static_cast<std::int64_t>(size_of(dtype));
  tensor.w_stride_ = shape.c;
  tensor.h_stride_ = tensor.w_stride_ * shape.w;
  tensor.n_stride_ = tensor.h_stride_ * shape.h;
  assert(byte_offset + tensor.bytes() <= static_cast<std::int64_t>(tensor.storage_->bytes()));
  return tensor;
}

Tensor Tensor::placeholder(std::shared_ptr<Trace> trace, int value, const Shape& shape) {
  Tensor tensor;
  tensor.shape_ = shape;
  tensor.trace_ = std::move(trace);
  tensor.traced_value_ = value;
  return tensor;
}

bool Tensor::dense() const {
  return w_stride_ == shape_.c && h_stride_ == w_stride_ * shape_.w &&
         n_stride_ == h_stride_ * shape_.h;
}

Tensor Tensor::channels(int first, int count) const {
  assert(storage_ != nullptr);
  if (first < 0 || count < 1 || count > shape_.c || first > shape_.c - count) {
    throw ShapeError(fmt::format("channels {}..{} do not lie in a tensor of shape {}", first,
                                 std::int64_t{first} + count - 1, to_string(shape_)));
  }
  Tensor slice = *this;
  slice.shape_.c = count;
  slice.offset_ += first;
  return slice;
}

Tensor Tensor::crop(int y, int x, int h, int w) const {
  assert(storage_ != nullptr);
  if (y < 0 || x < 0 || h < 1 || w < 1 || h > shape_.h || w > shape_.w || y > shape_.h - h ||
      x > shape_.w - w) {
    throw ShapeError(fmt::format("the {}x{} window at row {}, column {} does not lie in {}", w, h,
                                 y, x, to_string(shape_)));
  }
  Tensor window = *this;
  window.shape_.h = h;
  window.shape_.w = w;
  window.offset_ += y * h_stride_ + x * w_stride_;
  return window;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  assert(storage_ != nullptr);
  const std::int64_t row = w_stride_ * shape_.w;  // of pixels at one distance from each other
  const bool evenly_spaced =
      (shape_.h == 1 || h_stride_ == row) && (shape_.n == 1 || n_stride_ == row * shape_.h);
  const bool seen_the_same = shape.c == shape_.c ? evenly_spaced : dense();
  if (shape.elements() != shape_.elements() || !seen_the_same) {
    throw ShapeError(fmt::format("{} cannot be seen as {}", to_string(shape_), to_string(shape)));
  }
  Tensor same = *this;
  same.shape_ = shape;
  same.w_stride_ = shape.c == shape_.c ? w_stride_ : shape.c;
  same.h_stride_ = same.w_stride_ * shape.w;
  same.n_stride_ = same.h_stride_ * shape.h;
  return same;
}

Tensor Tensor::clone() const {
  Tensor copy = empty(shape_, dtype_, device());
  copy.name_ = name_;
  const auto element = static_cast<std::int64_t>(size_of(dtype_));
  const std::byte* from = storage_->data() + offset_ * element;
  std::byte* to = copy.storage_->data();
  const auto pixel = static_cast<std::size_t>(shape_.c * element);
  const auto apart = static_cast<std::size_t>(w_stride_ * element);
  for (int n = 0; n < shape_.n; ++n) {
    for (int h = 0; h < shape_.h; ++h, to += pixel * shape_.w) {
      const std::byte* row = from + (n * n_stride_ + h * h_stride_) * element;
      if (apart == pixel) {
        device().copy(to, row, pixel * shape_.w);
      } else {
        device().copy_rows(to, pixel, row, apart, pixel, static_cast<std::size_t>(shape_.w));
      }
    }
  }
  return copy;
}

Tensor Tensor::on(Device& device) const {
  if (&this->device() == &device) return *this;
  const Tensor dense_pixels = dense() ? *this : clone();
  Tensor copy = empty(shape_, dtype_, device);
  copy.name_ = name_;
  Device& gpu = device.kind() == DeviceKind::kCuda ? device : this->device();
  gpu.copy(copy.storage_->data(), dense_pixels.address(), static_cast<std::size_t>(bytes()));
  return copy;
}

const std::string& Tensor::name() const {
  static const std::string kNone;
  return name_ ? *name_ : kNone;
}

Tensor Tensor::named(std::string name) const {
  Tensor same = *this;
  same.name_ = std::make_shared<const std::string>(std::move(name));
  return same;
}

Tensor Tensor::taped(std::shared_ptr<Tape> tape, int value) const {
  Tensor same = *this;
  same.tape_ = std::move(tape);
  same.taped_value_ = value;
  return same;
}

Tensor Tensor::without_pixels() const {
  Tensor empty;
  empty.shape_ = shape_;
  empty.dtype_ = dtype_;
  empty.name_ = name_;
  return empty;
}

}  // namespace mend
