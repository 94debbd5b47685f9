#include "engine/cost.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/trace.h"
#include "tests/engine/test_ops.h"

namespace mend::test {
namespace {

/// Placeholders suffice: a footprint needs no pixels.
template <class Network>
Footprint footprint_of(const Network& network) {
  const auto trace = std::make_shared<Trace>();
  const Tensor x = trace->input({1, 64, 64, 3});
  return trace->finish({network(x)}).footprint();
}

/// Max3 stands for a 3 x 3 convolution: it sees one pixel to each side.
Tensor conv(const Tensor& x) { return apply(Max3{}, {x}); }

Tensor residual_dense_block(const Tensor& x) {
  Tensor features = x, last = x;
  for (int i = 0; i < 5; ++i) {
    last = apply(Slice{0, 3}, {conv(features)});
    if (i < 4) features = apply(Join{}, {features, last});
  }
  return apply(Sum{}, {x, last});
}

}  // namespace

TEST_CASE("footprint: RRDBNet with 23 blocks sees 349 pixels to each side") {
  const Footprint footprint = footprint_of([](const Tensor& x) {
    const Tensor shallow = conv(x);
    Tensor deep = shallow;
    for (int block = 0; block < 23; ++block) {
      Tensor y = deep;
      for (int i = 0; i < 3; ++i) y = residual_dense_block(y);
      deep = apply(Sum{}, {deep, y});
    }
    Tensor y = apply(Sum{}, {shallow, conv(deep)});
    y = conv(apply(Double{}, {y}));
    y = conv(apply(Double{}, {y}));
    return conv(conv(y));
  });
  CHECK(std::ceil(footprint.radius) == 349);
  CHECK(footprint.scale == 4);
  CHECK(footprint.grid == 1);
  CHECK_FALSE(footprint.global);
}

TEST_CASE("footprint: 34 convolutions see 34 pixels to each side") {
  const Footprint footprint = footprint_of([](const Tensor& x) {
    Tensor y = x;
    for (int i = 0; i < 34; ++i) y = conv(y);
    return apply(Sum{}, {apply(Double{}, {y}), apply(Double{}, {x})});
  });
  CHECK(footprint == Footprint{34, 2, 1, false});
}

TEST_CASE("footprint: one branch that sees everything is enough") {
  const Footprint gate{0, 1.0 / 64, 1, true};
  const Footprint image{2, 1, 4, false};
  CHECK(image.beside(gate) == Footprint{2, 1, 4, true});
  CHECK(gate.beside(image) == Footprint{2, 1, 4, true});  // a gate has no scale of its own
  CHECK(image.then(gate).global);
  CHECK(gate.then(Footprint{}).grid == 1);
}

TEST_CASE("footprint: strides multiply, and what lies behind them counts in input pixels") {
  const Footprint half{0, 0.5, 2, false}, conv3{1, 1, 1, false}, twice{0, 2, 1, false};
  CHECK(half.then(half) == Footprint{0, 0.25, 4, false});
  CHECK(half.then(conv3) == Footprint{2, 0.5, 2, false});
  CHECK(half.then(conv3).then(twice) == Footprint{2, 1, 2, false});
  CHECK(twice.then(conv3) == Footprint{0.5, 2, 1, false});
}

TEST_CASE("footprint: a grid is the smallest step that both operations repeat after") {
  const Footprint window8{0, 1, 8, false}, window3{0, 1, 3, false};
  const Footprint half{0, 0.5, 2, false}, twice{0, 2, 1, false};
  CHECK(half.then(window8).grid == 16);
  CHECK(twice.then(window8).grid == 4);
  CHECK(twice.then(window3).grid == 3);  // 2 pixels of x are 4 of y, no multiple of 3
  CHECK(twice.then(twice).then(Footprint{0, 1, 6, false}).grid == 3);
  CHECK(window3.then(window8).grid == 24);
  CHECK(window3.beside(window8).grid == 24);
  const Footprint three_halves{1, 1.5, 2, false};
  CHECK(three_halves.then(Footprint{0, 1, 4, false}).grid == 8);
}

TEST_CASE("footprint: the steps of a grid stay within an int") {
  const Footprint odd{0, 1, 1048573, false}, other{0, 1, 1048571, false};
  CHECK(odd.beside(other).grid > 0);
}

TEST_CASE("cost: adds up along a trace") {
  const auto trace = std::make_shared<Trace>();
  const Tensor x = trace->input({1, 8, 8, 2});
  const Graph graph = trace->finish({conv(apply(Shift{}, {x}))});
  CHECK(graph.cost().flops == 128 + 9 * 128);
  CHECK(graph.cost().bytes == 4 * 128 * 4);
}

}  // namespace mend::test
