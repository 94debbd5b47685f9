#include <doctest/doctest.h>

#include "engine/plan.h"
#include "tests/engine/random_network.h"
#include "tests/engine/test_ops.h"

namespace mend::test {
namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  bool equal = a.shape() == b.shape();
  if (!equal) return false;
  for_each(a.shape(), [&](int n, int h, int w, int c) {
    equal = equal && a.view<const float>()(n, h, w, c) == b.view<const float>()(n, h, w, c);
  });
  return equal;
}

/// Results that are all read again in reverse, as a gradient does.
std::vector<Tensor> there_and_back(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> made{inputs[0]};
  for (int i = 0; i < 24; ++i) made.push_back(apply(Max3{}, {made.back()}));
  Tensor sum = made.back();
  for (int i = 23; i >= 0; --i) sum = apply(Sum{}, {apply(Max3{}, {sum}), made[i]});
  return {sum};
}

/// The same through dense blocks: x, then x beside what is made of it.
std::vector<Tensor> dense_and_back(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> joined;
  Tensor x = inputs[0];
  const int channels = x.shape().c;
  for (int block = 0; block < 8; ++block) {
    const Tensor a = apply(Max3{}, {x});
    joined.push_back(apply(Join{}, {x, a}));
    const Tensor b = apply(Max3{}, {joined.back()});
    joined.push_back(apply(Join{}, {x, a, b}));
    x = apply(Sum{}, {apply(Max3{}, {apply(Slice{channels, channels}, {joined.back()})}), x});
  }
  Tensor sum = x;
  for (int i = static_cast<int>(joined.size()) - 1; i >= 0; --i) {
    sum = apply(Sum{}, {apply(Max3{}, {sum}), apply(Slice{channels, channels}, {joined[i]})});
  }
  return {sum};
}

void check_saving(const Network& network, double at_most) {
  const Shapes shapes{{2, 9, 7, 4}};
  Plan kept(network, shapes);
  Plan again(network, shapes, nullptr, {.late_reads = LateReads::kRecomputed});
  CAPTURE(kept.arena_bytes());
  CAPTURE(again.arena_bytes());
  CHECK(static_cast<double>(again.arena_bytes()) <=
        at_most * static_cast<double>(kept.arena_bytes()));
  CHECK(again.graph().steps.size() > kept.graph().steps.size());
  // Each step at most once more, and a copy of what a dense block begins with.
  CHECK(again.graph().steps.size() <= 2 * kept.graph().steps.size());
  again.poison();
  const Tensor x = small_integers(shapes[0], 3);
  CHECK(same_bits(again({x})[0], kept({x})[0]));
}

}  // namespace

TEST_CASE(
    "recompute: what is read again in reverse takes about half of the memory, and has the same "
    "bits") {
  check_saving(there_and_back, 0.55);
}

TEST_CASE("recompute: a dense block that is forgotten goes whole, though its input is kept") {
  check_saving(dense_and_back, 0.6);
}

TEST_CASE("recompute: random networks give the same numbers, in no more memory") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    const RandomNetwork network(seed);
    Plan kept(network, RandomNetwork::input_shapes());
    Plan again(network, RandomNetwork::input_shapes(), nullptr,
               {.late_reads = LateReads::kRecomputed});
    CHECK(again.arena_bytes() <= kept.arena_bytes());
    again.poison();
    const std::vector<Tensor> inputs = RandomNetwork::inputs(seed);
    const std::vector<Tensor> expected = kept(inputs), got = again(inputs);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(same_bits(got[i], expected[i]));
  }
}

}  // namespace mend::test
