// The extents of a tensor. There are always four: n images of h x w pixels with c channels.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

namespace mend {

/// A vector is {1,1,1,C}, a matrix {1,1,rows,columns}, video frames are n.
/// All extents are positive, but for "no tensor at all", which is {0,0,0,0}.
struct Shape {
  int n = 0, h = 0, w = 0, c = 0;

  bool operator==(const Shape&) const = default;
  bool empty() const { return n == 0; }
  std::int64_t pixels() const { return std::int64_t{n} * h * w; }
  std::int64_t elements() const { return pixels() * c; }
};

/// The shapes of an operation's inputs; an absent optional input is Shape{}. A list of up to kFew, as each
/// call of an operation makes one, allocates nothing.
class Shapes {
 public:
  static constexpr std::size_t kFew = 12;

  Shapes() = default;
  Shapes(std::initializer_list<Shape> shapes) : Shapes(shapes.begin(), shapes.end()) {}
  explicit Shapes(std::size_t count) { resize(count); }
  template <typename Iterator>
  Shapes(Iterator first, Iterator last) {
    resize(static_cast<std::size_t>(std::distance(first, last)));
    std::copy(first, last, begin());
  }

  /// New ones are Shape{}.
  void resize(std::size_t count) {
    if (count > kFew) {
      if (size_ <= kFew)
        many_.assign(few_.begin(), few_.begin() + static_cast<std::ptrdiff_t>(size_));
      many_.resize(count);
    } else {
      if (size_ > kFew) std::copy_n(many_.begin(), count, few_.begin());
      for (std::size_t i = size_; i < count; ++i) few_[i] = {};
    }
    size_ = count;
  }
  void push_back(const Shape& shape) {
    const Shape copy = shape;  // may be one of the list
    resize(size_ + 1);
    back() = copy;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Shape* begin() { return size_ > kFew ? many_.data() : few_.data(); }
  Shape* end() { return begin() + size_; }
  const Shape* begin() const { return size_ > kFew ? many_.data() : few_.data(); }
  const Shape* end() const { return begin() + size_; }
  Shape& operator[](std::size_t i) { return begin()[i]; }
  const Shape& operator[](std::size_t i) const { return begin()[i]; }
  Shape& back() { return end()[-1]; }
  const Shape& front() const { return *begin(); }
  const Shape& back() const { return end()[-1]; }
  bool operator==(const Shapes& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }

 private:
  std::size_t size_ = 0;
  std::array<Shape, kFew> few_;
  std::vector<Shape> many_;  // all of them, if more than kFew
};

constexpr Shape vector_shape(int c) { return {1, 1, 1, c}; }

/// "[1,128,128,4]"
std::string to_string(const Shape& shape);

}  // namespace mend
