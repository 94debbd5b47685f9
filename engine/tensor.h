// What a tensor is: a shape, an element type, and storage that it shares with other tensors.
//
// There is one memory layout, NHWC with the channels side by side. A channel slice is a tensor too:
// it shares the storage, and its pixels lie further apart than it has channels (w_stride > c), so
// a concatenation along the channels can be written in place. Kernels see only the borrowed View.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "engine/device.h"
#include "engine/dtype.h"
#include "engine/shape.h"

namespace mend {

class Tape;
class Trace;

/// Borrowed pixels: element (n,h,w,c) is data[n·n_stride + h·h_stride + w·w_stride + c].
/// Never assume w_stride == c, nor that a slice starts aligned. Lives no longer than one call.
template <class T>
struct View {
  T* data = nullptr;
  Shape shape;
  std::int64_t n_stride = 0, h_stride = 0, w_stride = 0;  // in elements; the channel stride is 1

  T* pixel(int n, int h, int w) const { return data + n * n_stride + h * h_stride + w * w_stride; }
  T& operator()(int n, int h, int w, int c) const { return pixel(n, h, w)[c]; }
  explicit operator bool() const { return data != nullptr; }
  /// No gaps: pixel k lies at data + k·c for k over all of n, h, w.
  bool dense() const {
    return w_stride == shape.c && h_stride == w_stride * shape.w && n_stride == h_stride * shape.h;
  }
  /// Pixels follow each other at one distance, w_stride, through all rows and images.
  bool evenly_spaced() const {
    const std::int64_t row = w_stride * shape.w;  // a single row's h_stride says nothing
    return (shape.h == 1 || h_stride == row) && (shape.n == 1 || n_stride == row * shape.h);
  }
  /// All pixels as one row; only of evenly spaced ones. An image has fewer than 2^31: they would take 8 GB.
  View as_one_row() const {
    const int pixels = static_cast<int>(shape.pixels());
    const std::int64_t stride = pixels * w_stride;
    return {data, {1, 1, pixels, shape.c}, stride, stride, w_stride};
  }
  operator View<const T>() const requires(!std::is_const_v<T>) {
    return {data, shape, n_stride, h_stride, w_stride};
  }
};

/// One allocation on one device, freed with its last tensor.
class Storage {
 public:
  Storage(std::size_t bytes, Device& device);
  /// Memory that somebody else owns and keeps alive (`owner` may hold it).
  Storage(void* data, std::size_t bytes, Device& device, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device& device() const { return device_; }

 private:
  std::byte* data_;
  std::size_t bytes_;
  Device& device_;
  bool owned_;
  std::shared_ptr<const void> owner_;
};

/// A handle: copies share the pixels. Default-constructed, it is "no tensor" (an absent bias).
/// In a trace it is a placeholder: it has a shape, but no pixels.
class Tensor {
 public:
  Tensor() = default;

  /// Pixels with undefined values.
  static Tensor empty(const Shape& shape, DType dtype = DType::kF32, Device& device = cpu());
  static Tensor zeros(const Shape& shape, DType dtype = DType::kF32, Device& device = cpu());
  static Tensor full(const Shape& shape, float value);
  /// Copies shape.elements() values in NHWC order.
  static Tensor from(const Shape& shape, std::span<const float> values);
  /// A tensor inside memory that is already there, at `byte_offset`, dense.
  static Tensor within(std::shared_ptr<Storage> storage, std::int64_t byte_offset,
                       const Shape& shape, DType dtype = DType::kF32);
  /// Value number `value` of `trace`; see engine/trace.h.
  static Tensor placeholder(std::shared_ptr<Trace> trace, int value, const Shape& shape);

  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Device& device() const { return storage_->device(); }
  bool defined() const { return !shape_.empty(); }
  explicit operator bool() const { return defined(); }
  std::int64_t bytes() const {
    return shape_.elements() * static_cast<std::int64_t>(size_of(dtype_));
  }
  bool dense() const;
  /// Of the first element.
  const void* address() const {
    return storage_->data() + offset_ * static_cast<std::int64_t>(size_of(dtype_));
  }

  /// The slice of `count` channels from `first` on; shares the pixels.
  Tensor channels(int first, int count) const;
  /// The rows [y, y+h) and columns [x, x+w); shares the pixels.
  Tensor crop(int y, int x, int h, int w) const;
  /// The same elements under other extents; shares the pixels. Throws ShapeError if there are more
  /// or fewer, or if they lie apart: x must be dense, or keep its channels (then a slice will do).
  Tensor reshaped(const Shape& shape) const;
  /// A dense copy on the same device.
  Tensor clone() const;

  /// This tensor if it lies on `device`, else a dense copy there. One of both is the CPU.
  Tensor on(Device& device) const;

  /// Typed borrowed pixels. T must be the element type (const or not).
  template <class T>
  View<T> view() const {
    if (!defined()) return {};
    assert(dtype_of<std::remove_const_t<T>>() == dtype_ && storage_ != nullptr);
    return {reinterpret_cast<T*>(storage_->data()) + offset_, shape_, n_stride_, h_stride_,
            w_stride_};
  }

  /// The name that errors and reports use: the state_dict key of a parameter, else empty.
  const std::string& name() const;
  Tensor named(std::string name) const;

  /// This tensor, from here on noted by `tape` wherever it is used; see engine/op.h. `value` is the
  /// tape's number for it. Without a tape: no longer noted.
  Tensor taped(std::shared_ptr<Tape> tape, int value = -1) const;
  const std::shared_ptr<Tape>& tape() const { return tape_; }
  int taped_value() const { return taped_value_; }

  /// Its shape, type and name alone, in place of pixels that nobody reads.
  Tensor without_pixels() const;

  bool is_placeholder() const { return trace_ != nullptr; }
  const std::shared_ptr<Trace>& trace() const { return trace_; }
  int traced_value() const { return traced_value_; }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

 private:
  Shape shape_;
  DType dtype_ = DType::kF32;
  std::shared_ptr<Storage> storage_;
  std::int64_t offset_ = 0;  // in elements
  std::int64_t n_stride_ = 0, h_stride_ = 0, w_stride_ = 0;
  std::shared_ptr<const std::string> name_;
  std::shared_ptr<Tape> tape_;
  int taped_value_ = -1;
  std::shared_ptr<Trace> trace_;
  int traced_value_ = -1;
};

}  // namespace mend
