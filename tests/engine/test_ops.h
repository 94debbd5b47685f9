// Small operations for the engine's own tests: the engine knows none. Their arithmetic is exact on
// small whole numbers, so that any order of evaluation gives the same bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"
#include "engine/op.h"

namespace mend::test {

/// Calls body(n, h, w, c) for every element.
template <class Body>
void for_each(const Shape& s, const Body& body) {
  for (int n = 0; n < s.n; ++n)
    for (int h = 0; h < s.h; ++h)
      for (int w = 0; w < s.w; ++w)
        for (int c = 0; c < s.c; ++c) body(n, h, w, c);
}

inline double bytes_of(const Shape& shape) {
  return static_cast<double>(shape.elements()) * sizeof(float);
}

/// y = x + by; takes over a shift behind it.
struct Shift {
  static constexpr std::string_view kName = "shift";
  float by = 1;

  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes& in) const {
    return {static_cast<double>(in[0].elements()), 2 * bytes_of(in[0])};
  }
  Footprint footprint(const Shapes&) const { return {}; }
  std::string describe() const { return std::to_string(by); }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<const float> x = inputs[0].view<const float>();
    const View<float> to = y.view<float>();
    for_each(y.shape(), [&](int n, int h, int w, int c) { to(n, h, w, c) = x(n, h, w, c) + by; });
  }
  std::optional<Fusion> absorb(const AnyOp& next, int, const Shapes&) const {
    const Shift* after = next.as<Shift>();
    if (after == nullptr) return std::nullopt;
    return Fusion{Shift{by + after->by}, {{FusedInput::kMine, 0}}};
  }
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const {
    return same_rows(*this, in, in[0].h, y);
  }
};

/// y = x + z
struct Sum {
  static constexpr std::string_view kName = "sum";

  Shape shape(const Shapes& in) const {
    if (in[0] != in[1]) throw ShapeError("sum: " + to_string(in[0]) + " and " + to_string(in[1]));
    return in[0];
  }
  Cost cost(const Shapes& in) const {
    return {static_cast<double>(in[0].elements()), 3 * bytes_of(in[0])};
  }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<const float> x = inputs[0].view<const float>(), z = inputs[1].view<const float>();
    const View<float> to = y.view<float>();
    for_each(y.shape(),
             [&](int n, int h, int w, int c) { to(n, h, w, c) = x(n, h, w, c) + z(n, h, w, c); });
  }
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const {
    return same_rows(*this, in, in[0].h, y);
  }
};

/// The maximum over 3 x 3 pixels, rows first; needs scratch for the rows.
struct Max3 {
  static constexpr std::string_view kName = "max3";
  int above = 0;  ///< rows of x above the first of y, in a part

  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes& in) const {
    return {9 * static_cast<double>(in[0].elements()), 2 * bytes_of(in[0])};
  }
  Footprint footprint(const Shapes&) const { return {1, 1, 1, false}; }
  std::int64_t scratch_bytes(const Shapes& in) const { return in[0].elements() * 4; }
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
    const View<const float> x = inputs[0].view<const float>();
    const View<float> to = y.view<float>();
    const Shape& s = y.shape();
    const int last = x.shape.h - 1;
    const View<float> rows{reinterpret_cast<float*>(scratch.data()), s,
                           std::int64_t{s.h} * s.w * s.c, std::int64_t{s.w} * s.c, s.c};
    for_each(s, [&](int n, int h, int w, int c) {
      const int at = h + above;
      rows(n, h, w, c) = std::max(
          {x(n, std::max(at - 1, 0), w, c), x(n, at, w, c), x(n, std::min(at + 1, last), w, c)});
    });
    for_each(s, [&](int n, int h, int w, int c) {
      to(n, h, w, c) = std::max({rows(n, h, std::max(w - 1, 0), c), rows(n, h, w, c),
                                 rows(n, h, std::min(w + 1, s.w - 1), c)});
    });
  }
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const {
    const RowRange x{std::max(0, y.begin - 1), std::min(in[0].h, y.end + 1)};
    return RowPart{Max3{y.begin - x.begin}, {x}};
  }
};

/// Each pixel twice in both directions.
struct Double {
  static constexpr std::string_view kName = "double";

  Shape shape(const Shapes& in) const { return {in[0].n, 2 * in[0].h, 2 * in[0].w, in[0].c}; }
  Cost cost(const Shapes& in) const { return {0, 5 * bytes_of(in[0])}; }
  Footprint footprint(const Shapes&) const { return {0, 2, 1, false}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<const float> x = inputs[0].view<const float>();
    const View<float> to = y.view<float>();
    for_each(y.shape(),
             [&](int n, int h, int w, int c) { to(n, h, w, c) = x(n, h / 2, w / 2, c); });
  }
  std::optional<RowPart> row_part(const Shapes&, RowRange y) const {
    return RowPart{*this, {{y.begin / 2, (y.end + 1) / 2}}, 2};
  }
};

/// Channels side by side; counts what it has to copy.
struct Join {
  static constexpr std::string_view kName = "join";
  static constexpr bool kJoinsChannels = true;
  static inline std::int64_t copied = 0;  ///< elements since the test set it to 0

  Shape shape(const Shapes& in) const {
    Shape y = in[0];
    for (std::size_t i = 1; i < in.size(); ++i) y.c += in[i].c;
    return y;
  }
  Cost cost(const Shapes& in) const { return {0, 2 * bytes_of(shape(in))}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<float> to = y.view<float>();
    int first = 0;
    for (const Tensor& input : inputs) {
      const View<const float> x = input.view<const float>();
      if (x.data != to.data + first) {
        for_each(x.shape,
                 [&](int n, int h, int w, int c) { to(n, h, w, first + c) = x(n, h, w, c); });
        copied += x.shape.elements();
      }
      first += x.shape.c;
    }
  }
};

/// The channels [first, first + count), as a view.
struct Slice {
  static constexpr std::string_view kName = "slice";
  int first = 0, count = 1;

  Shape shape(const Shapes& in) const { return {in[0].n, in[0].h, in[0].w, count}; }
  Cost cost(const Shapes&) const { return {}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs, const Tensor&, Scratch) const {}
  std::optional<Tensor> view(const Tensor& x) const { return x.channels(first, count); }
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const {
    return same_rows(*this, in, in[0].h, y);
  }
};

/// Hands its input on and notes where the pixels of both lay.
struct Probe {
  static constexpr std::string_view kName = "probe";
  struct Seen {
    const float *x, *y;
  };
  static inline std::vector<Seen> seen;

  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes&) const { return {}; }
  Footprint footprint(const Shapes&) const { return {1, 1, 1, false}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    seen.push_back({inputs[0].view<const float>().data, y.view<float>().data});
    Shift{0}.forward(inputs, y, {});
  }
};

}  // namespace mend::test
