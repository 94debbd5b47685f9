// The extents of a tensor. There are always four: n images of h x w pixels with c channels.
#pragma once

#include <cstdint>
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

/// The shapes of an operation's inputs; an absent optional input is Shape{}.
using Shapes = std::vector<Shape>;

constexpr Shape vector_shape(int c) { return {1, 1, 1, c}; }

/// "[1,128,128,4]"
std::string to_string(const Shape& shape);

}  // namespace mend
