// conv2d_pair on the GPU, against the reference on the CPU and against two launches of conv2d.
#include "kernels/conv2d_pair/conv2d_pair.h"

#include <doctest/doctest.h>

#include <cmath>
#include <ostream>
#include <vector>

#include "engine/error.h"
#include "engine/plan.h"
#include "kernels/conv2d/variant.h"
#include "kernels/convert/convert.h"
#include "kernels/elementwise/elementwise.h"
#include "models/registry.h"
#include "tests/gpu/on_gpu.h"
#include "tests/kernels/conv2d_cases.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "train/initialize.h"

namespace mend::test {
namespace {

using Pair = op::Conv2dPair;
constexpr DType kNarrow[] = {DType::kF16, DType::kBF16};
constexpr Activation kRelu{ActivationKind::kRelu}, kPrelu{ActivationKind::kPrelu},
    kLeaky{ActivationKind::kLeakyRelu, 0.2f}, kGelu{ActivationKind::kGelu},
    kElu{ActivationKind::kElu, 0.7f};

struct PairCase {
  const char* name;
  Shape x;
  Activation first = {}, second = {};
  bool has_bias = true, has_residual = false, shared_slope = false;
  float scale = 1;

  bool has_slopes_alone() const {
    const auto is_long = [](const Activation& a) { return a == kGelu || a == kElu; };
    return !is_long(first) && !is_long(second);
  }
  friend std::ostream& operator<<(std::ostream& out, const PairCase& c) { return out << c.name; }
};

/// Around tiles of 14 x 14 pixels, and of 14 x 30 up to 32 channels.
const PairCase kAwkward[] = {
    {"one pixel", {1, 1, 1, 64}, kRelu, kRelu},
    {"one pixel, 16 channels", {1, 1, 1, 16}, kLeaky, kPrelu, true, true, false, 0.5f},
    {"7x5", {1, 7, 5, 64}, kPrelu, kPrelu, true, true, false, 0.3f},
    {"7x5, 32 channels", {1, 7, 5, 32}, kPrelu, {}, false},
    {"one tile", {1, 14, 14, 64}, kLeaky, {}},
    {"one tile, 48 channels", {1, 14, 14, 48}, kRelu, kLeaky, true, true},
    {"one tile, 32 channels", {1, 14, 30, 32}, kRelu, kRelu},
    {"one more each way", {1, 15, 15, 64}, {}, kRelu, false, true, false, -1},
    {"one less each way", {1, 13, 13, 48}, kPrelu, kPrelu, true, false, true},
    {"two tiles each way and a bit", {1, 29, 31, 64}, kRelu, kPrelu},
    {"one more each way, 32 channels", {1, 15, 31, 32}, kLeaky, kLeaky, true, true, false, 0.2f},
    {"two tiles each way, 16 channels", {1, 28, 60, 16}, kPrelu, kPrelu, true, true, true},
    {"three images", {3, 5, 17, 48}, {}, {}, false},
    {"three images, 16 channels", {3, 16, 33, 16}, kRelu, {}},
    {"high and narrow", {1, 43, 1, 32}, kLeaky, kRelu},
    {"wide and low", {2, 2, 47, 64}, kRelu, kLeaky, true, true},
    {"gelu", {1, 16, 15, 64}, kGelu, kGelu, true, true, false, 0.3f},
    {"gelu, then prelu", {1, 9, 32, 32}, kGelu, kPrelu},
    {"relu, then gelu", {2, 6, 11, 16}, kRelu, kGelu, false},
    {"elu", {1, 15, 6, 48}, kElu, kElu, true, true},
};

Tensor rounded(const Tensor& x, DType type) {
  return x ? converted(converted(x, type), DType::kF32) : Tensor();
}

/// A case in one type: inputs that the type can hold, and what the reference makes of them.
struct Problem {
  Problem(const PairCase& c, DType type) {
    const int C = c.x.c;
    op.first = with(conv(3, C, 1), c.first);
    op.second = with(conv(3, C, 1), c.second, c.scale);
    op.second.adds_residual = c.has_residual;
    const float bound = 1.5f / std::sqrt(9.0f * static_cast<float>(C));
    const auto weight = [&](int seed) {
      return rounded(apply(op::Affine{bound}, {random_tensor({C, 3, 3, C}, seed)}), type);
    };
    const auto slope = [&](const Activation& activation, int seed) {
      const Shape shape = vector_shape(c.shared_slope ? 1 : C);
      return activation == kPrelu ? random_tensor(shape, seed) : Tensor();
    };
    const auto bias = [&](int seed) {
      return c.has_bias ? random_tensor(vector_shape(C), seed) : Tensor();
    };
    inputs = {rounded(random_tensor(c.x, 1), type),
              weight(2),
              bias(3),
              slope(c.first, 4),
              weight(5),
              bias(6),
              slope(c.second, 7),
              c.has_residual ? rounded(random_tensor(c.x, 8), type) : Tensor()};
    const Tensor middle =
        rounded(reference(op.first, {inputs[0], inputs[1], inputs[2], inputs[3]}), type);
    expected = reference(op.second, {middle, inputs[4], inputs[5], inputs[6], inputs[7]});
    op.first.type = op.second.type = type;
  }

  static Tensor reference(op::Conv2d op, const Tensors& inputs) {
    const Tensor y = Tensor::empty(op.shape(shapes_of(inputs)));
    op.variant = &conv2d_ladder().front();
    op.forward(inputs, y, {});
    return y;
  }

  DType type() const { return op.dtype(); }
  /// Twice what rounding the true result to the type costs.
  double bound() const { return 2 * relative_error(rounded(expected, type()), expected).value; }

  Tensors on_gpu() const {
    Tensors tensors;
    for (int i = 0; i < Pair::kSlots; ++i) {
      const bool is_image = i == Pair::kX || i == Pair::kResidual;
      tensors.push_back(to_gpu(inputs[i], is_image ? type() : DType::kF32));
    }
    return tensors;
  }

  Pair op;
  Tensors inputs;
  Tensor expected;
};

const Conv2dPairVariant& rung_named(std::string_view name) {
  for (const Conv2dPairVariant& rung : conv2d_pair_ladder()) {
    if (rung.name == name) return rung;
  }
  FAIL("there is no rung " << name);
  return conv2d_pair_ladder().front();
}

void run(const Problem& problem, Tensors operands, const Tensor& y) {
  Pair fixed = problem.op;
  fixed.variant = &rung_named("conv2d_pair/cuda_mma");
  for (const auto i : {Pair::kWeight1, Pair::kWeight2}) {
    operands[i] = apply(op::PackConv2dPairWeight{fixed}, {operands[i]});
  }
  fixed.forward(operands, y, {});
}

/// The same by two launches of conv2d.
Tensor one_after_the_other(const Problem& problem, std::string_view rung, const Tensors& x) {
  const auto launched = [&](op::Conv2d op, Tensors inputs) {
    for (const Conv2dVariant& variant : conv2d_ladder()) {
      if (variant.name == rung) op.variant = &variant;
    }
    inputs[op::Conv2d::kWeight] = apply(op::PackConv2dWeight{op}, {inputs[op::Conv2d::kWeight]});
    const Tensor y = Tensor::empty(x[0].shape(), op.type, gpu(0));
    op.forward(inputs, y, {});
    return y;
  };
  const Tensor middle = launched(problem.op.first, {x[0], x[1], x[2], x[3], Tensor()});
  return to_host(launched(problem.op.second, {middle, x[4], x[5], x[6], x[7]}));
}

std::string refusal(const Pair& pair, const Shape& x) {
  const Shape weight{pair.first.outputs, pair.first.kernel_h, pair.first.kernel_w, x.c};
  return rung_named("conv2d_pair/cuda_mma").refuses(pair, {x, weight, {}, {}, weight});
}

Shape weight_of(int C) { return {C, 3, 3, C}; }

/// `layers` convolutions of C channels with ReLU; constants that nobody computes with.
Network body(int C, int layers) {
  const Tensor weight = Tensor::zeros(weight_of(C)), bias = Tensor::zeros(vector_shape(C));
  return [=](const Tensors& given) {
    Tensor x = given[0];
    for (int i = 0; i < layers; ++i) x = apply(with(conv(3, C, 1), kRelu), {x, weight, bias});
    return Tensors{x};
  };
}

int pairs_of(const Plan& plan) {
  int count = 0;
  for (const Step& step : plan.graph().steps) count += step.op.as<Pair>() != nullptr;
  return count;
}

PlanOptions narrow_on_gpu(DType type) { return {.device = &gpu(0), .narrow = narrow_images(type)}; }

struct Forced {
  Forced(const char* op, const char* rung) { force_variant(op, rung); }
  ~Forced() { clear_forced_variants(); }
};

}  // namespace

TEST_CASE("conv2d_pair on the GPU: equals the reference, and the bits of two launches") {
  for (const DType type : kNarrow) {
    CAPTURE(name_of(type));
    for (const PairCase& c : kAwkward) {
      CAPTURE(c);
      const Problem problem(c, type);
      const Tensors operands = problem.on_gpu();
      const GuardedOnGpu dense(problem.expected.shape(), type, {0, 0});
      run(problem, operands, dense.tensor());
      const Tensor y = to_host(dense.tensor());
      CHECK(relative_error(y, problem.expected) <= problem.bound());
      CHECK(dense.intact());
      if (c.has_slopes_alone()) {
        CHECK(identical(y, one_after_the_other(problem, "conv2d/cuda_f16", operands)));
        CHECK(identical(y, one_after_the_other(problem, "conv2d/cuda_mma", operands)));
      }
      for (const Margins& margins : {Margins{3, 2}, Margins{8, 8}}) {
        CAPTURE(margins.before);
        Tensors slices = operands;
        std::vector<GuardedOnGpu> guards;
        for (const auto slot : {Pair::kX, Pair::kResidual}) {
          const Tensor& input = problem.inputs[slot];
          if (input) slices[slot] = guards.emplace_back(input, type, margins).tensor();
        }
        const GuardedOnGpu slice(problem.expected.shape(), type, margins);
        run(problem, slices, slice.tensor());
        CHECK(identical(to_host(slice.tensor()), y));
        CHECK(slice.intact());
      }
    }
  }
}

TEST_CASE("conv2d_pair on the GPU: the same bits on every run, wherever a pixel lies in a tile") {
  const Problem problem({"", {1, 35, 43, 48}, kLeaky, kPrelu}, DType::kF16);
  Tensors operands = problem.on_gpu();
  const auto result = [&](const Shape& shape) {
    const Tensor y = Tensor::empty(shape, DType::kF16, gpu(0));
    run(problem, operands, y);
    return to_host(y);
  };
  const Tensor whole = result({1, 35, 43, 48});
  CHECK(identical(result({1, 35, 43, 48}), whole));
  operands[Pair::kX] = operands[Pair::kX].crop(5, 3, 22, 25);
  // Two pixels at the edge see what the crop cut off.
  CHECK(identical(result({1, 22, 25, 48}).crop(2, 2, 18, 21), whole.crop(7, 5, 18, 21)));
}

TEST_CASE("conv2d_pair on the GPU: run at once, it packs its weights") {
  const Problem problem({"", {1, 9, 14, 16}, kRelu, {}}, DType::kBF16);
  const Tensor y = mend::apply(problem.op, problem.on_gpu());
  CHECK(y.dtype() == DType::kBF16);
  CHECK(relative_error(to_host(y), problem.expected) <= problem.bound());
}

TEST_CASE("conv2d_pair on the GPU: refuses what it cannot do, and says why") {
  const Shape x{1, 20, 20, 32};
  Pair pair{conv(3, 32, 1), conv(3, 32, 1)};
  CHECK(refusal(pair, x).find("f16 or bf16") != std::string::npos);
  pair.first.type = pair.second.type = DType::kF16;
  CHECK(refusal(pair, x).empty());
  const auto changed = [&](auto change) {
    Pair other = pair;
    change(other);
    return refusal(other, x);
  };
  CHECK(changed([](Pair& p) { p.second.outputs = 64; }).find("channels") != std::string::npos);
  CHECK(refusal(pair, {1, 20, 20, 24}).find("channels") != std::string::npos);
  CHECK(changed([](Pair& p) { p.first.scale = 2; }).find("scale") != std::string::npos);
  CHECK(changed([](Pair& p) { p.second.padding_w = 0; }).find("padding") != std::string::npos);
  CHECK(changed([](Pair& p) { p.first.padding_mode = PaddingMode::kReflect; }).find("padding") !=
        std::string::npos);
  CHECK(changed([](Pair& p) { p.second.dilation = 2; }).find("dilation") != std::string::npos);
}

TEST_CASE("conv2d_pair on the GPU: a plan forms pairs where they are modelled to be faster") {
  const auto pairs = [](int C, int side, int layers, const PlanOptions& options) {
    return pairs_of(Plan(body(C, layers), {{1, side, side, C}}, nullptr, options));
  };
  const PlanOptions in_f16 = narrow_on_gpu(DType::kF16), in_bf16 = narrow_on_gpu(DType::kBF16);
  CHECK(pairs(16, 2048, 4, in_f16) == 2);
  CHECK(pairs(16, 2048, 5, in_bf16) == 2);
  CHECK(pairs(16, 512, 4, in_f16) == 0);   // the images stay in L2
  CHECK(pairs(64, 2048, 4, in_f16) == 0);  // tensor cores are the limit, and the halo costs
  CHECK(pairs(16, 2048, 4, {.device = &gpu(0)}) == 0);  // in f32
  const Forced conv2d("conv2d", "cuda_f16");
  CHECK(pairs(16, 2048, 4, in_f16) == 0);
}

TEST_CASE("conv2d_pair on the GPU: forced, a network gives the same bits") {
  const Json hyperparameters = {{"num_in_ch", 3}, {"num_out_ch", 3}, {"num_feat", 32},
                                {"num_conv", 3},  {"upscale", 2},    {"act_type", "prelu"}};
  const Model model =
      load_model(initial_checkpoint(architecture_named("srvgg"), hyperparameters, 1));
  const Shape shape{1, 21, 18, 3};
  const Tensor x = random_tensor(shape, 1);
  for (const DType type : kNarrow) {
    CAPTURE(name_of(type));
    Plan apart(model.forward, {shape}, nullptr, narrow_on_gpu(type));
    CHECK(pairs_of(apart) == 0);
    const Forced pair(Pair::kName.data(), "cuda_mma");
    Plan paired(model.forward, {shape}, nullptr, narrow_on_gpu(type));
    CHECK(pairs_of(paired) == 1);
    CHECK(paired.footprint() == apart.footprint());
    CHECK(paired.executed_footprint() == apart.executed_footprint());
    paired.poison();
    const Tensor y = apart({x})[0];
    for (int run = 0; run < 2; ++run) CHECK(identical(paired({x})[0], y));
  }
}

TEST_CASE("conv2d_pair on the GPU: a result that is read twice, or is an output, stays") {
  const Tensor weight = Tensor::zeros(weight_of(16));
  const op::Conv2d layer = conv(3, 16, 1);
  const Network read_twice = [&](const Tensors& given) {
    const Tensor middle = apply(layer, {given[0], weight});
    return Tensors{apply(op::Binary{BinaryKind::kAdd},
                         {apply(layer, {middle, weight}), apply(op::Affine{2}, {middle})})};
  };
  const Network own_residual = [&](const Tensors& given) {
    const Tensor middle = apply(layer, {given[0], weight});
    return Tensors{apply(op::Binary{BinaryKind::kAdd}, {apply(layer, {middle, weight}), middle})};
  };
  const Network output = [&](const Tensors& given) {
    const Tensor middle = apply(layer, {given[0], weight});
    return Tensors{apply(layer, {middle, weight}), middle};
  };
  const Forced pair(Pair::kName.data(), "cuda_mma");
  for (const Network& network : {read_twice, own_residual, output}) {
    CHECK(pairs_of(Plan(network, {{1, 9, 9, 16}}, nullptr, narrow_on_gpu(DType::kF16))) == 0);
  }
}

}  // namespace mend::test
