#include "kernels/normalization/normalization.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/plan.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Fixture {
  const char* file;
  AnyOp op;
};

Tensor weight(const Golden& golden, const std::string& key) {
  const auto stored = golden.weights.tensors.find(key);
  return stored == golden.weights.tensors.end() ? Tensor() : to_tensor(stored->second);
}

/// Runs a normalization of x with the fixture's weight and bias.
void check_fixture(const Fixture& fixture) {
  const std::string path = shared_path(std::string("goldens/ops/") + fixture.file + ".safetensors");
  if (!require_data(path)) return;
  CAPTURE(fixture.file);
  const Golden golden = load_golden(path);
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    const Tensor y =
        apply(fixture.op, {golden.at("input"), weight(golden, "weight"), weight(golden, "bias")});
    CHECK(max_error(y, golden.at("output")) <= 2e-6);
  });
}

/// A stored 4-D tensor whose last dimension is that of the channels.
Tensor channels_last(const Golden& golden, const std::string& name) {
  const StoredTensor& stored = golden.stored.tensors.at(name);
  std::vector<int> s(stored.shape.begin(), stored.shape.end());
  return Tensor::from({s[0], s[1], s[2], s[3]}, stored.to_f32());
}

void check_pixel_norm(std::span<const Variant<op::LayerNorm, LayerNormKernel>> ladder,
                      const op::LayerNorm& norm, const std::vector<Tensor>& inputs) {
  check_rungs(ladder, norm, inputs,
              [&](const LayerNormKernel& kernel, Inputs in, const Tensor& y, Scratch) {
                const auto vector = [&](std::size_t i) {
                  return i < in.size() ? in[i].view<const float>() : View<const float>{};
                };
                kernel(norm.measure(), norm.eps, in[0].view<const float>(), vector(1), vector(2),
                       y.view<float>());
              });
}

template <class Op>
void check_plain_norm(std::span<const Variant<Op, PixelNormKernel>> ladder, const Op& norm,
                      PixelMeasure measure, const Tensor& x) {
  check_rungs(ladder, norm, {x}, [&](PixelNormKernel kernel, Inputs in, const Tensor& y, Scratch) {
    kernel(measure, norm.eps, in[0].view<const float>(), {}, {}, y.view<float>());
  });
}

void check_softmax(const Tensor& x) {
  check_rungs(softmax_ladder(), op::Softmax{}, {x},
              [](SoftmaxKernel kernel, Inputs in, const Tensor& y, Scratch) {
                kernel(in[0].view<const float>(), y.view<float>());
              });
}

void check_group_norm(const op::GroupNorm& norm, const std::vector<Tensor>& inputs) {
  check_rungs(group_norm_ladder(), norm, inputs,
              [&](const GroupNormKernel& kernel, Inputs in, const Tensor& y, Scratch scratch) {
                const auto vector = [&](std::size_t i) {
                  return i < in.size() ? in[i].view<const float>() : View<const float>{};
                };
                kernel(norm, in[0].view<const float>(), vector(1), vector(2), y.view<float>(),
                       scratch);
              });
}

void check_demodulate(const Tensor& weights, const Tensor& style) {
  const op::Demodulate demodulate;
  check_rungs(demodulate_ladder(), demodulate, {weights, style},
              [&](DemodulateKernel kernel, Inputs in, const Tensor& y, Scratch) {
                kernel(demodulate, in[0].view<const float>(), in[1].view<const float>(),
                       y.view<float>());
              });
}

/// offset + spread · x
Tensor shifted(const Tensor& x, float offset, float spread) {
  return apply(op::Affine{.scale = spread, .offset = offset}, {x});
}

op::Conv2d convolution(int outputs, int kernel) {
  op::Conv2d conv;
  conv.outputs = outputs;
  conv.kernel_h = conv.kernel_w = kernel;
  conv.padding_h = conv.padding_w = kernel / 2;
  return conv;
}

const Shape kAwkward[] = {{1, 1, 1, 1},   {1, 1, 1, 2},   {2, 3, 5, 7},   {1, 4, 3, 16},
                          {1, 3, 4, 30},  {1, 2, 3, 48},  {1, 2, 3, 127}, {1, 3, 2, 180},
                          {1, 1, 3, 513}, {3, 17, 9, 64}, {1, 67, 45, 10}};

}  // namespace

TEST_CASE("normalization: equals the official implementation") {
  const Fixture fixtures[] = {
      {"layer_norm__last_dim_eps1e-5", op::LayerNorm{1e-5f}},
      {"layer_norm__biasfree_restormer", op::LayerNorm{1e-5f, false}},
      {"layer_norm2d__eps1e-6", op::LayerNorm{1e-6f}},
      {"group_norm__g2", op::GroupNorm{2, 1e-5f}},
      {"group_norm__g3", op::GroupNorm{3, 1e-5f}},
      {"instance_norm__affine", op::GroupNorm{6, 1e-5f}},
      {"instance_norm__plain", op::GroupNorm{6, 1e-5f}},
  };
  for (const Fixture& fixture : fixtures) check_fixture(fixture);
}

TEST_CASE("softmax, l2_normalize: equal the official implementation over either dimension") {
  const struct {
    const char* file;
    AnyOp op;
    bool over_channels;
  } fixtures[] = {{"softmax__dim1", op::Softmax{}, true},
                  {"softmax__dimm1", op::Softmax{}, false},
                  {"l2_normalize__dim_last", op::L2Normalize{}, false}};
  for (const auto& fixture : fixtures) {
    const std::string path =
        shared_path(std::string("goldens/ops/") + fixture.file + ".safetensors");
    if (!require_data(path)) return;
    CAPTURE(fixture.file);
    const Golden golden = load_golden(path);
    const auto tensor = [&](const char* name) {
      return fixture.over_channels ? golden.at(name) : channels_last(golden, name);
    };
    on_every_instruction_set([&](const std::string& target) {
      CAPTURE(target);
      CHECK(max_error(apply(fixture.op, {tensor("input")}), tensor("output")) <= 1e-6);
    });
  }
}

TEST_CASE("demodulate: the modulated convolution equals the official implementation") {
  const std::string path = shared_path("goldens/ops/modulated_conv2d__demod.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  // Weights [1,K,C,R,S] as [K,R,S,C]; the style comes out of a linear layer.
  const StoredTensor& stored = golden.weights.tensors.at("weight");
  const std::vector<float> values = stored.to_f32();
  const int K = 5, C = 4, R = 3;
  const Tensor weights = Tensor::empty({K, R, R, C});
  for (int k = 0; k < K; ++k)
    for (int c = 0; c < C; ++c)
      for (int i = 0; i < R * R; ++i) {
        weights.view<float>()(k, i / R, i % R, c) =
            values[static_cast<std::size_t>((k * C + c) * R * R + i)];
      }
  const Tensor linear = weight(golden, "modulation.weight");
  const Tensor style =
      apply(convolution(C, 1), {golden.at("style"), linear.reshaped({C, 1, 1, linear.shape().c}),
                                weight(golden, "modulation.bias")});
  const op::Binary times{BinaryKind::kMultiply};
  const Tensor modulated = apply(times, {golden.at("input"), style});
  const op::Conv2d conv = convolution(K, R);
  const Tensor y = apply(
      times, {apply(conv, {modulated, weights}), apply(op::Demodulate{1e-8f}, {weights, style})});
  CHECK(max_error(y, golden.at("output")) <= 5e-6);
}

TEST_CASE("layer_norm: every rung matches the reference") {
  for (const Shape& shape : kAwkward) {
    const Tensor x = shifted(random_tensor(shape, 1), 0.3f, 2.0f);
    const Tensor gamma = random_tensor(vector_shape(shape.c), 2);
    const Tensor beta = random_tensor(vector_shape(shape.c), 3);
    for (const bool subtract : {true, false}) {
      check_pixel_norm(layer_norm_ladder(), {1e-5f, subtract}, {x});
      check_pixel_norm(layer_norm_ladder(), {1e-6f, subtract}, {x, gamma});
      check_pixel_norm(layer_norm_ladder(), {1e-5f, subtract}, {x, gamma, beta});
    }
  }
}

TEST_CASE("layer_norm: stays accurate where the mean is 10000 times the deviation") {
  // E[x²] - E[x]² in f32 has no correct digit left here.
  const Tensor x = shifted(random_tensor({1, 4, 5, 60}, 4), 1000.0f, 0.1f);
  check_pixel_norm(layer_norm_ladder(), {1e-5f, true}, {x});
}

TEST_CASE("pixel_norm, l2_normalize: every rung matches the reference") {
  for (const Shape& shape : kAwkward) {
    const Tensor x = random_tensor(shape, 5);
    check_plain_norm(pixel_norm_ladder(), op::PixelNorm{}, PixelMeasure::kRootMeanSquare, x);
    check_plain_norm(l2_normalize_ladder(), op::L2Normalize{}, PixelMeasure::kLength, x);
  }
  const Tensor zero = Tensor::zeros({1, 2, 2, 9});
  CHECK(identical(apply(op::L2Normalize{}, {zero}), zero));
}

TEST_CASE("softmax: every rung matches the reference") {
  for (const Shape& shape : kAwkward) check_softmax(shifted(random_tensor(shape, 6), 50.0f, 20.0f));
}

TEST_CASE("softmax: minus infinity gets no weight, one that is alone gives NaN") {
  const Tensor x = Tensor::full({1, 1, 2, 21}, -kInfinity);
  x.view<float>()(0, 0, 0, 3) = -4.0f;
  x.view<float>()(0, 0, 0, 20) = -4.0f;
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const auto& rung : softmax_ladder()) {
      if (rung.device != DeviceKind::kCpu) continue;
      CAPTURE(rung.name);
      const Tensor y = Tensor::zeros(x.shape());
      rung.kernel(x.view<const float>(), y.view<float>());
      const View<const float> got = y.view<const float>();
      CHECK(got(0, 0, 0, 3) == 0.5f);
      CHECK(got(0, 0, 0, 20) == 0.5f);
      CHECK(got(0, 0, 0, 0) == 0.0f);
      CHECK(got(0, 0, 0, 17) == 0.0f);
      CHECK(std::isnan(got(0, 0, 1, 5)));
    }
  });
}

TEST_CASE("group_norm: every rung matches the reference") {
  for (const Shape& shape : kAwkward) {
    const Tensor x = shifted(random_tensor(shape, 7), -2.0f, 1.5f);
    const Tensor gamma = random_tensor(vector_shape(shape.c), 8);
    const Tensor beta = random_tensor(vector_shape(shape.c), 9);
    for (const int groups : {1, 2, 3, shape.c}) {
      if (shape.c % groups != 0) continue;
      check_group_norm({groups, 1e-5f}, {x});
      check_group_norm({groups, 1e-6f}, {x, gamma, beta});
    }
  }
  check_group_norm({4, 1e-5f}, {shifted(random_tensor({1, 150, 130, 12}, 10), 100.0f, 0.1f)});
}

TEST_CASE("demodulate: every rung matches the reference") {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{5, 3, 3, 4}, Shape{7, 3, 3, 127},
                             Shape{3, 1, 1, 64}, Shape{2, 3, 3, 512}}) {
    check_demodulate(random_tensor(shape, 11), random_tensor({2, 1, 1, shape.c}, 12));
  }
}

TEST_CASE("normalization: one NaN makes all that is measured with it NaN") {
  const Tensor x = random_tensor({1, 2, 3, 37}, 13);
  x.view<float>()(0, 1, 1, 35) = kNan;
  const AnyOp norms[] = {op::LayerNorm{}, op::LayerNorm{1e-5f, false}, op::PixelNorm{},
                         op::L2Normalize{}, op::Softmax{}};
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const AnyOp& norm : norms) {
      CAPTURE(norm.name());
      const Tensor y = apply(norm, {x});
      for (int c = 0; c < 37; ++c) {
        CHECK(std::isnan(y.view<const float>()(0, 1, 1, c)));
        CHECK(!std::isnan(y.view<const float>()(0, 1, 0, c)));
      }
    }
    const Tensor y = apply(op::GroupNorm{37}, {x});
    CHECK(std::isnan(y.view<const float>()(0, 0, 0, 35)));
    CHECK(!std::isnan(y.view<const float>()(0, 0, 0, 34)));
  });
}

TEST_CASE("normalization: a plan gives the numbers of the eager run") {
  const Tensor x = random_tensor({2, 9, 7, 24}, 14);
  const Tensor gamma = random_tensor(vector_shape(24), 15);
  const Network network = [&](const std::vector<Tensor>& inputs) {
    const Tensor a = apply(op::LayerNorm{}, {inputs[0], gamma, gamma});
    const Tensor b = apply(op::GroupNorm{4}, {a, gamma});
    return std::vector<Tensor>{apply(op::Softmax{}, {apply(op::L2Normalize{}, {b})})};
  };
  Plan plan(network, {x.shape()});
  plan.poison();
  CHECK(identical(plan({x})[0], network({x})[0]));
  CHECK(plan.footprint().global);
}

TEST_CASE("normalization: what does not fit is refused with both sides") {
  const Shape x{1, 4, 4, 6};
  CHECK_THROWS_WITH_AS(op::LayerNorm{}.shape({x, vector_shape(5)}),
                       "layer_norm: gamma is [1,1,1,5], but x [1,4,4,6] has 6 channels",
                       ShapeError);
  CHECK_THROWS_WITH_AS(op::GroupNorm{4}.shape({x}),
                       "group_norm: 4 groups do not divide the 6 channels of x [1,4,4,6]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(op::Demodulate{}.shape({{8, 3, 3, 6}, {1, 1, 1, 5}}),
                       "demodulate: weight [8,3,3,6] takes a style [N,1,1,6], but it is [1,1,1,5]",
                       ShapeError);
  CHECK(op::LayerNorm{}.footprint({x}) == Footprint{});
  CHECK(op::GroupNorm{2}.footprint({x}).global);
}

}  // namespace mend::test
