// Images in f16 and bf16 on the GPU: conversions, operations and whole networks, against f32 on the CPU.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "engine/gpu.h"
#include "engine/plan.h"
#include "kernels/activation/activation.h"
#include "kernels/attention/attention.h"
#include "kernels/channels/channels.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/convert/convert.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/normalization/normalization.h"
#include "kernels/pad/pad.h"
#include "kernels/pixel_shuffle/pixel_shuffle.h"
#include "kernels/pool/pool.h"
#include "kernels/rearrange/rearrange.h"
#include "kernels/resample/resample.h"
#include "layers/functions.h"
#include "models/registry.h"
#include "restore/tiled_network.h"
#include "tests/gpu/gpu_rungs.h"
#include "tests/gpu/on_gpu.h"
#include "tests/gpu/small_runs.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "train/initialize.h"

namespace mend::test {
namespace {

constexpr DType kNarrow[] = {DType::kF16, DType::kBF16};

/// Half a unit in the last place, relative to the number.
double rounding(DType type) { return type == DType::kF16 ? 0x1p-11 : 0x1p-8; }

/// Runs `op` in `type` on the GPU, dense and in slices, on inputs that are rounded to what it takes, and compares it
/// with the CPU's f32 result on the same inputs, rounded: `error` beyond that rounding may be left.
template <class Op>
void check_narrow(const Op& op, const std::vector<Tensor>& inputs, double error) {
  for (const DType type : kNarrow) {
    CAPTURE(AnyOp(op).name());
    CAPTURE(name_of(type));
    const std::optional<Narrowed> narrowed =
        AnyOp(op).narrow(shapes_of(inputs), type, DeviceKind::kCuda);
    REQUIRE(narrowed.has_value());
    const auto type_of = [&](std::size_t i) {
      return (narrowed->inputs >> i & 1) != 0 ? type : DType::kF32;
    };
    std::vector<Tensor> rounded;
    for (const Tensor& input : inputs) {
      rounded.push_back(to_host(to_gpu(input, type_of(rounded.size()))));
    }
    const Tensor expected = to_host(to_gpu(mend::apply(AnyOp(op), rounded), type));
    CHECK(narrowed->op.dtype() == type);
    gpu(0).make_current();
    for (const Margins& margins : {Margins{0, 0}, Margins{3, 2}, Margins{8, 8}}) {
      CAPTURE(margins.before);
      std::vector<GuardedOnGpu> guards;
      std::vector<Tensor> operands;
      for (const Tensor& input : rounded) {
        operands.push_back(guards.emplace_back(input, type_of(operands.size()), margins).tensor());
      }
      const GuardedOnGpu y(expected.shape(), type, margins);
      narrowed->op.forward(operands, y.tensor(), {});
      CHECK(relative_error(to_host(y.tensor()), expected) <= error * rounding(type));
      CHECK(y.intact());
    }
  }
}

Model small_model(const char* network, const Json& hyperparameters) {
  return load_model(initial_checkpoint(architecture_named(network), hyperparameters, 1));
}

const Json kDncnn = {{"in_nc", 3}, {"out_nc", 3}, {"nc", 32}, {"nb", 4}, {"act_mode", "R"}};
const Json kSrvgg = {{"num_in_ch", 3}, {"num_out_ch", 3}, {"num_feat", 32},
                     {"num_conv", 2},  {"upscale", 2},    {"act_type", "prelu"}};

PlanOptions narrow_on_gpu(DType type) { return {.device = &gpu(0), .narrow = narrow_images(type)}; }

/// A picture through `network` at once, on a GPU.
Tensor restored(const Network& network, const Tensor& x, Precision precision, Device& device) {
  TileOptions options;
  options.mode = TileOptions::Mode::kOff;
  options.devices = {&device};
  options.precision = precision;
  Tensor y;
  TiledNetwork({.network = network})
      .run(
          x.shape().h, x.shape().w, options,
          [&](const Rectangle&, const Tensor& to) {
            std::copy_n(x.view<const float>().data, x.shape().elements(), to.view<float>().data);
          },
          [&](const Rectangle&, const Tensor& pixels) { y = pixels.clone(); });
  return y;
}

}  // namespace

TEST_CASE("gpu, narrow: conversions round to the nearest and keep what is no number") {
  for (const DType type : kNarrow) {
    for (const Shape& shape : {Shape{2, 3, 5, 7}, Shape{1, 4, 3, 16}, Shape{1, 1, 1, 1}}) {
      const Tensor x = random_tensor(shape, 1);
      x.view<float>().data[0] = 1e30f;  // beyond f16
      const Tensor narrow = Tensor::empty(shape, type), wide = Tensor::empty(shape);
      convert_ladder()[0].kernel(x, narrow);
      convert_ladder()[0].kernel(narrow, wide);
      for (const auto& rung : convert_ladder()) {
        if (rung.device != DeviceKind::kCuda) continue;
        gpu(0).make_current();
        const Tensor there = Tensor::empty(shape, type, gpu(0));
        const Tensor back = Tensor::empty(shape, DType::kF32, gpu(0));
        rung.kernel(to_gpu(x), there);
        rung.kernel(there, back);
        CHECK(identical(to_host(back), wide));
        const GuardedOnGpu guarded(x, DType::kF32, {3, 2}), y(shape, type, {5, 1});
        rung.kernel(guarded.tensor(), y.tensor());
        CHECK(identical(to_host(y.tensor()), wide));
        CHECK(y.intact());
      }
    }
  }
}

TEST_CASE("gpu, narrow: operations compute in f32 and round once") {
  for (const Shape& shape : {Shape{2, 3, 5, 12}, Shape{1, 4, 3, 32}, Shape{2, 2, 1, 1}}) {
    const Tensor x = random_tensor(shape, 1), z = random_tensor(shape, 2);
    const Tensor channels = random_tensor({1, 1, 1, shape.c}, 3);
    // A function's own error may move a number to the other side of a rounding.
    check_narrow(op::Activate{{ActivationKind::kGelu}}, {x}, 2);
    check_narrow(op::Activate{{ActivationKind::kPrelu}}, {x, channels}, 0);
    check_narrow(op::LayerNorm{}, {x, channels, channels}, 1);
    check_narrow(op::LayerNorm{.subtract_mean = false}, {x}, 1);
    check_narrow(op::GroupNorm{.groups = shape.c % 4 == 0 ? 4 : 1}, {x, channels, channels}, 2);
    check_narrow(op::GroupNorm{.groups = shape.c}, {x}, 2);
    check_narrow(op::Affine{.scale = 2.5f, .offset = 0.25f, .low = -1, .high = 1}, {x}, 1);
    check_narrow(op::Binary{BinaryKind::kAdd}, {x, z}, 0);
    check_narrow(op::Binary{BinaryKind::kMultiply}, {x, channels}, 0);
    check_narrow(op::Concat{}, {x, x.channels(0, 1), z}, 0);
    check_narrow(op::Roll{2, -1}, {x}, 0);
    for (const PadMode mode : {PadMode::kConstant, PadMode::kReplicate, PadMode::kCircular}) {
      check_narrow(op::Pad{1, 2, 1, 0, mode, -0.3f}, {x}, 0);
    }
  }
  for (const int c : {3, 8, 12}) {
    const Tensor x = random_tensor({2, 9, 10, c}, 1), large = random_tensor({1, 40, 50, c}, 2);
    for (const ResampleMode mode : {ResampleMode::kNearest, ResampleMode::kBilinear,
                                    ResampleMode::kBicubic, ResampleMode::kArea}) {
      for (const auto& [height, width] : {std::pair{18, 20}, {5, 7}}) {
        check_narrow(op::Resample{.mode = mode, .height = height, .width = width}, {x}, 1);
      }
    }
    check_narrow(
        op::Resample{.mode = ResampleMode::kBicubic, .height = 10, .width = 9, .antialias = true},
        {large}, 1);
    for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
      check_narrow(op::Pool{kind, 3, 2, 1}, {x}, 1);
      check_narrow(op::AdaptivePool{kind, 3, 2}, {x}, 1);
      check_narrow(op::AdaptivePool{kind}, {large}, 1);
    }
  }
  for (const int c : {3, 8}) {
    for (const bool dilated : {false, true}) {
      check_narrow(op::WindowPartition{3, 2, dilated}, {random_tensor({2, 6, 8, c}, 1)}, 0);
      check_narrow(op::WindowMerge{6, 8, dilated}, {random_tensor({16, 3, 2, c}, 1)}, 0);
    }
  }
  for (const int factor : {2, 3}) {
    for (const int c : {3, 8, 64}) {
      check_narrow(op::PixelShuffle{factor}, {random_tensor({2, 3, 5, c * factor * factor}, 1)}, 0);
      check_narrow(op::PixelUnshuffle{factor}, {random_tensor({2, 2 * factor, 3 * factor, c}, 1)},
                   0);
    }
  }
}

TEST_CASE("gpu, narrow: transposed convolutions whose kernel is as large as the stride") {
  struct Case {
    Shape x;
    int outputs, stride;
    Activation activation = {};
  };
  for (const Case& c : {Case{{2, 5, 9, 6}, 18, 2},
                        {{1, 8, 16, 48}, 48, 2},
                        {{1, 5, 13, 17}, 17, 2, {ActivationKind::kPrelu}},
                        {{1, 4, 5, 72}, 20, 3, {ActivationKind::kGelu}},
                        {{1, 4, 5, 8}, 3, 1, {ActivationKind::kLeakyRelu, 0.1f}}}) {
    const Tensor weight = random_tensor({c.outputs, c.stride, c.stride, c.x.c}, 2);
    // What every type can hold, as the packed weight is of it.
    const Tensor exact = converted(converted(weight, DType::kBF16), DType::kF32);
    for (const DType type : kNarrow) {
      op::ConvTranspose2d op{.stride = c.stride, .activation = c.activation};
      const Tensor x = converted(converted(random_tensor(c.x, 1), type), DType::kF32);
      const Tensor bias = random_tensor(vector_shape(c.outputs), 3);
      Tensors inputs{x, exact, bias};
      if (c.activation.kind == ActivationKind::kPrelu) {
        inputs.push_back(random_tensor(vector_shape(c.outputs), 4));
      }
      const Tensor expected = mend::apply(op, inputs);
      const auto narrowed = AnyOp(op).narrow(shapes_of(inputs), type, DeviceKind::kCuda);
      REQUIRE(narrowed.has_value());
      CHECK(narrowed->leads);
      for (const Margins& margins : {Margins{0, 0}, Margins{3, 2}, Margins{8, 8}}) {
        const GuardedOnGpu from(x, type, margins), y(expected.shape(), type, margins);
        Tensors operands{from.tensor()};
        for (std::size_t i = 1; i < inputs.size(); ++i) operands.push_back(to_gpu(inputs[i]));
        narrowed->op.forward(operands, y.tensor(), {});
        CHECK(relative_error(to_host(y.tensor()), expected) <= 2 * rounding(type));
        CHECK(y.intact());
      }
    }
  }
}

TEST_CASE("gpu, narrow: attention has f32 scores and rounds weights and results") {
  constexpr double kError = 3;
  const auto check_window = [](op::WindowAttention attention, const Shape& shape, bool biased) {
    attention.scale = 0.7f;
    const float bound = std::sqrt(2.0f / std::sqrt(static_cast<float>(shape.c) / 9));
    std::vector<Tensor> inputs{random_within(shape, bound, 1), random_within(shape, bound, 2),
                               random_tensor(shape, 3)};
    const Shape bias{1, attention.heads, attention.keys(), attention.queries()};
    if (biased) inputs.push_back(random_tensor(bias, 4));
    check_narrow(attention, inputs, kError);
  };
  constexpr WindowMask kNone = WindowMask::kNone, kMinus100 = WindowMask::kMinus100;
  check_window({1, 1, 0, 0, 1}, {1, 2, 3, 1}, true);
  check_window({2, 2, 1, 1, 1, 1, kMinus100}, {2, 4, 6, 3}, true);
  check_window({8, 8, 4, 4, 2, 1, kMinus100}, {1, 16, 16, 60}, true);
  check_window({8, 8, 4, 4, 6, 1, kMinus100}, {1, 8, 16, 60}, true);
  check_window({8, 8, 0, 0, 1, 1, kNone}, {1, 8, 8, 32}, false);
  check_window({7, 7, 3, 3, 3, 1, WindowMask::kMinusInfinity}, {1, 7, 14, 30}, true);
  check_window({9, 3, 0, 2, 2, 1, kMinus100}, {1, 9, 9, 128}, true);
  check_window({16, 16, 8, 8, 1, 1, kMinus100}, {1, 16, 16, 30}, true);
  check_window({.window_h = 8, .window_w = 4, .heads = 2, .dilated = true}, {1, 24, 8, 16}, true);
  check_window({.window_h = 4, .window_w = 4, .heads = 2, .kv_window_h = 6, .kv_window_w = 6},
               {2, 8, 4, 12}, true);
  const auto check_rows = [](int heads, const Shape& q, int keys, int depth_v) {
    const float bound = std::sqrt(3.0f / std::sqrt(static_cast<float>(q.c / heads) / 9));
    check_narrow(op::Attention{heads, 0.6f},
                 {random_within(q, bound, 1), random_within({q.n, q.h, keys, q.c}, bound, 2),
                  random_tensor({q.n, q.h, keys, depth_v}, 3)},
                 kError);
  };
  check_rows(2, {2, 3, 17, 12}, 5, 8);
  check_rows(1, {1, 2, 5, 24}, 130, 31);
  check_rows(2, {1, 1, 200, 64}, 70, 64);
  check_rows(1, {1, 1, 40, 20}, 65, 64);
  for (const auto& [heads, shape] : {std::pair{1, Shape{1, 5, 7, 48}},
                                     {2, {2, 16, 20, 60}},
                                     {8, {1, 30, 9, 8}},
                                     {3, {1, 4, 33, 15}}}) {
    check_narrow(op::ChannelAttention{heads},
                 {random_tensor(shape, 1), random_tensor(shape, 2), random_tensor(shape, 3),
                  random_within(vector_shape(heads), 4, 4)},
                 kError);
  }
}

TEST_CASE("gpu, narrow: what has no rung for the type stays in f32") {
  const Shapes qkv{{1, 8, 8, 160}, {1, 8, 8, 160}, {1, 8, 8, 160}};  // 160 channels a head
  CHECK_FALSE(AnyOp(op::WindowAttention{}).narrow(qkv, DType::kF16, DeviceKind::kCuda));
  const op::WindowAttention negative{.heads = 5, .scale = -1};
  CHECK_FALSE(AnyOp(negative).narrow(qkv, DType::kF16, DeviceKind::kCuda));
}

TEST_CASE("gpu, narrow: a plan keeps images narrow between steps that can take them") {
  for (const DType type : kNarrow) {
    CAPTURE(name_of(type));
    for (const auto& [name, hyperparameters] : {std::pair{"dncnn", kDncnn}, {"srvgg", kSrvgg}}) {
      CAPTURE(name);
      const Model model = small_model(name, hyperparameters);
      const Shape shape{1, 21, 18, 3};
      Plan here(model.forward, {shape}), wide(model.forward, {shape}, nullptr, {.device = &gpu(0)});
      Plan narrow(model.forward, {shape}, nullptr, narrow_on_gpu(type));
      CHECK(narrow.arena_bytes() < 0.75 * static_cast<double>(wide.arena_bytes()));
      for (const Step& step : narrow.graph().steps) {
        if (step.op.name() == "conv2d") CHECK(step.op.dtype() == type);
      }
      narrow.poison();
      const Tensor x = random_tensor(shape, 1);
      const Tensor expected = here({x})[0];
      for (int run = 0; run < 2; ++run) {
        const Deviation deviation = relative_error(narrow({x})[0], expected);
        CHECK(deviation < 8 * rounding(type));
        CHECK(deviation.value > 0);
      }
    }
  }
}

TEST_CASE("gpu, narrow: networks give what the official implementations give, in f16") {
  int ran = 0;
  const auto compare = [&](const Model& model, const Tensors& inputs, const Tensors& expected) {
    const auto there = plan_on_gpu(model, shapes_of(inputs), narrow_on_gpu(DType::kF16));
    if (there == nullptr) return;
    const Tensors outputs = (*there)(inputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      CHECK(relative_error(outputs[i], expected[i]) <= 1e-2);
    }
    ++ran;
  };
  if (for_each_small_fixture(compare)) CHECK(ran >= 81);
}

TEST_CASE(
    "gpu, narrow: networks of bf16 images give what the official implementations give in it") {
  int ran = 0, others = 0;
  const auto compare = [&](const Model& model, const Tensors& inputs, const Tensors& expected) {
    const Shapes shapes = shapes_of(inputs);
    if (precision_for(Precision::kAuto, model.traits.narrow_type, gpu(0)) == Precision::kF16) {
      ++others;
      return;
    }
    const auto there = plan_on_gpu(model, shapes, narrow_on_gpu(DType::kBF16));
    REQUIRE(there != nullptr);
    const Tensors outputs = (*there)(inputs);
    // A code book that chooses by the nearest code may choose another one.
    const bool chooses = model.description.starts_with("CodeFormer");
    for (std::size_t i = 0; i < outputs.size() && !chooses; ++i) {
      CHECK(relative_error(outputs[i], expected[i]) <= 8e-2);
    }
    ++ran;
  };
  if (!for_each_small_fixture(compare)) return;
  CHECK(ran >= 25);
  CHECK(others >= 40);
}

TEST_CASE("gpu, narrow: a tile without numbers in f16 is computed again in f32") {
  const Model model = small_model("dncnn", kDncnn);
  // 1e5 has no number in f16: the convolutions see infinity there.
  const Network large = [&](const Tensors& given) {
    return Tensors{1e-5f * model.forward({1e5f * given[0]})[0]};
  };
  const Tensor x = random_tensor({1, 16, 19, 3}, 1);
  const Tensor expected = restored(large, x, Precision::kF32, cpu());
  CHECK(relative_error(restored(large, x, Precision::kF16, gpu(0)), expected) < 5e-3);
  CHECK(relative_error(restored(large, x, Precision::kBF16, gpu(0)), expected) < 5e-2);
  CHECK(relative_error(restored(large, x, Precision::kAuto, gpu(0)), expected) < 5e-3);
}

TEST_CASE("gpu: what does not fit the GPU's memory runs on the CPU") {
  std::vector<Tensor> hog;
  for (int bits = 37; bits >= 16;) {
    try {
      hog.push_back(
          Tensor::empty({1, 1 << (bits / 2), 1 << (bits - bits / 2), 1}, DType::kU8, gpu(0)));
    } catch (const OutOfMemory&) {
      --bits;
    }
  }
  const Model model = small_model("dncnn", kDncnn);
  const Tensor x = random_tensor({1, 64, 64, 3}, 1);
  const Tensor expected = restored(model.forward, x, Precision::kF32, cpu());
  CHECK(identical(restored(model.forward, x, Precision::kF16, gpu(0)), expected));
}

}  // namespace mend::test
