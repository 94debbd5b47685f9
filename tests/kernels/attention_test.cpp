#include "kernels/attention/attention.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>

#include "engine/plan.h"
#include "kernels/channels/channels.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/rearrange/rearrange.h"
#include "tests/kernels/check_narrow.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

op::Conv2d pointwise(int outputs) {
  op::Conv2d conv;
  conv.outputs = outputs;
  return conv;
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

AttentionCall call_of(Inputs in, const Tensor& y, Scratch scratch) {
  return {
      in[0].view<const float>(), in[1].view<const float>(),
      in[2].view<const float>(), in.size() > 3 ? in[3].view<const float>() : View<const float>{},
      y.view<float>(),           scratch};
}

template <class Op, class Kernel>
void check(std::span<const Variant<Op, Kernel>> ladder, const Op& attention,
           const std::vector<Tensor>& inputs) {
  check_rungs(ladder, attention, inputs,
              [&](Kernel kernel, Inputs in, const Tensor& y, Scratch scratch) {
                kernel(attention, call_of(in, y, scratch));
              });
}

/// q, k, v as slices of one tensor, as a qkv layer makes them; scores of size `spread`.
std::vector<Tensor> random_qkv(const Shape& shape, float spread = 2.0f) {
  const Tensor qkv = apply(op::Affine{.scale = spread},
                           {random_tensor({shape.n, shape.h, shape.w, 3 * shape.c}, 1)});
  return {qkv.channels(0, shape.c), qkv.channels(shape.c, shape.c),
          qkv.channels(2 * shape.c, shape.c)};
}

void check_window(const op::WindowAttention& attention, const Shape& shape, bool biased = true) {
  std::vector<Tensor> inputs = random_qkv(shape);
  if (biased) {
    inputs.push_back(random_tensor({1, attention.heads, attention.keys(), attention.queries()}, 2));
  }
  check(window_attention_ladder(), attention, inputs);
}

/// A stored [1,heads,channels,pixels] or [B,heads,tokens,channels] with the heads side by side in
/// the channels.
Tensor join_heads(const Golden& golden, const std::string& name, bool channels_first) {
  const StoredTensor& stored = golden.stored.tensors.at(name);
  const std::vector<float> values = stored.to_f32();
  const auto extent = [&](int i) { return static_cast<int>(stored.shape[i]); };
  const int N = extent(0), heads = extent(1);
  const int tokens = extent(channels_first ? 3 : 2), depth = extent(channels_first ? 2 : 3);
  const Tensor joined = Tensor::empty({N, 1, tokens, heads * depth});
  for (int n = 0; n < N; ++n)
    for (int head = 0; head < heads; ++head)
      for (int t = 0; t < tokens; ++t)
        for (int d = 0; d < depth; ++d) {
          const int inner = channels_first ? d * tokens + t : t * depth + d;
          joined.view<float>()(n, 0, t, head * depth + d) =
              values[static_cast<std::size_t>((n * heads + head) * tokens * depth + inner)];
        }
  return joined;
}

Tensor linear(const Tensor& x, const Golden& golden, const std::string& key) {
  const Tensor weight = to_tensor(golden.weights.tensors.at(key + ".weight"));
  const Tensor bias = to_tensor(golden.weights.tensors.at(key + ".bias"));
  const int outputs = weight.shape().w;
  return apply(pointwise(outputs), {x, weight.reshaped({outputs, 1, 1, weight.shape().c}), bias});
}

/// A stored [N,H,W,C].
Tensor image(const Golden& golden, const std::string& name) {
  const StoredTensor& stored = golden.stored.tensors.at(name);
  std::vector<int> s(stored.shape.begin(), stored.shape.end());
  return Tensor::from({s[0], s[1], s[2], s[3]}, stored.to_f32());
}

bool all_nan(View<const float> y, int n, int h, int w, int first, int count) {
  bool nan = true;
  for (int c = first; c < first + count; ++c) nan = nan && std::isnan(y(n, h, w, c));
  return nan;
}

}  // namespace

TEST_CASE("window_attention: equals the official implementation, shifted and not") {
  const struct {
    const char* file;
    int window, shift, heads;
  } fixtures[] = {
      {"window4_shift0", 4, 0, 2}, {"window4_shift2", 4, 2, 2}, {"window8_shift4", 8, 4, 3}};
  for (const auto& f : fixtures) {
    const std::string path =
        shared_path(std::string("goldens/ops/attention__") + f.file + ".safetensors");
    if (!require_data(path)) return;
    CAPTURE(f.file);
    const Golden golden = load_golden(path);
    const Tensor x = image(golden, "input");
    const int C = x.shape().c;
    const Tensor index = golden.at("buffers/relative_position_index");
    CHECK(identical(index, relative_position_index(f.window, f.window)));
    const Tensor table = to_tensor(golden.weights.tensors.at("relative_position_bias_table"));
    on_every_instruction_set([&](const std::string& target) {
      CAPTURE(target);
      const Tensor qkv = linear(x, golden, "qkv");
      op::WindowAttention attention{.window_h = f.window,
                                    .window_w = f.window,
                                    .shift_h = f.shift,
                                    .shift_w = f.shift,
                                    .heads = f.heads};
      attention.scale = 1.0f / std::sqrt(static_cast<float>(C / f.heads));
      attention.mask = f.shift > 0 ? WindowMask::kMinus100 : WindowMask::kNone;
      const Tensor y =
          apply(attention, {qkv.channels(0, C), qkv.channels(C, C), qkv.channels(2 * C, C),
                            apply(op::GatherBias{}, {table, index})});
      CHECK(max_error(linear(y, golden, "proj"), image(golden, "output")) <= 1e-5);
    });
  }
}

TEST_CASE("attention: equals the official implementation") {
  const std::string path = shared_path("goldens/ops/attention__sdpa.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    const Tensor y = apply(op::Attention{2, 1.0f / std::sqrt(6.0f)},
                           {join_heads(golden, "input", false), join_heads(golden, "key", false),
                            join_heads(golden, "value", false)});
    CHECK(max_error(y, join_heads(golden, "output", false)) <= 2e-6);
  });
}

TEST_CASE("channel_attention: equals the official implementation") {
  const std::string path = shared_path("goldens/ops/attention__channel_restormer.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const Tensor temperature =
      Tensor::from(vector_shape(2), golden.weights.tensors.at("temperature").to_f32());
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    const Tensor y = apply(op::ChannelAttention{2},
                           {join_heads(golden, "input", true), join_heads(golden, "key", true),
                            join_heads(golden, "value", true), temperature});
    CHECK(max_error(y, join_heads(golden, "output", true)) <= 2e-6);
  });
}

TEST_CASE("window_attention: every rung matches the reference") {
  const auto mask = WindowMask::kMinus100;
  check_window({1, 1, 0, 0, 1, 1.0f}, {1, 2, 3, 1});
  check_window({2, 2, 1, 1, 1, 1.0f, mask}, {1, 4, 6, 3});
  check_window({8, 8, 0, 0, 6, 0.3f}, {1, 16, 8, 60});
  check_window({8, 8, 4, 4, 6, 0.3f, mask}, {2, 16, 24, 60});
  check_window({8, 8, 4, 4, 2, 0.2f, WindowMask::kMinusInfinity}, {1, 16, 16, 64});
  check_window({8, 8, 4, 4, 1, 0.2f, WindowMask::kMinusInfinity}, {1, 8, 8, 32}, false);
  check_window({7, 7, 3, 3, 6, 0.2f, mask}, {1, 14, 21, 180});
  check_window({4, 4, 2, 2, 1, 0.2f, mask}, {1, 8, 8, 127}, false);
  check_window({16, 16, 8, 8, 1, 0.2f, mask}, {1, 32, 32, 30});
  check_window({8, 32, 4, 16, 2, 0.2f, mask}, {1, 16, 64, 60});
  check_window({32, 8, 16, 4, 1, 0.2f, mask}, {1, 64, 16, 18});
  check_window({4, 8, 0, 4, 2, 0.2f, mask}, {1, 8, 16, 10});
  check_window({.window_h = 8, .window_w = 4, .heads = 2, .dilated = true}, {1, 24, 8, 10});
}

TEST_CASE("window_attention: every rung matches the reference with overlapping kv windows") {
  check_window({.window_h = 4, .window_w = 4, .heads = 2, .kv_window_h = 6, .kv_window_w = 6},
               {2, 8, 12, 12});
  check_window({.window_h = 16,
                .window_w = 16,
                .heads = 1,
                .scale = 0.2f,
                .kv_window_h = 24,
                .kv_window_w = 24},
               {1, 32, 16, 30});
  check_window({.window_h = 2, .window_w = 3, .heads = 1, .kv_window_h = 6, .kv_window_w = 5},
               {1, 4, 6, 8}, false);
}

TEST_CASE("window_attention: scores of any size give weights") {
  // The largest score is taken away before the exponential; far below it nothing is left.
  for (const float spread : {1e-3f, 30.0f, 1000.0f}) {
    check(window_attention_ladder(), {8, 8, 0, 0, 2, 1.0f}, random_qkv({1, 8, 8, 20}, spread));
  }
}

TEST_CASE("attention: every rung matches the reference") {
  for (const auto& [n, h, queries, keys, depth, depth_v, heads] :
       std::vector<std::array<int, 7>>{{1, 1, 1, 1, 1, 1, 1},
                                       {2, 3, 10, 13, 6, 5, 2},
                                       {1, 1, 100, 300, 32, 32, 2},
                                       {1, 1, 256, 256, 64, 64, 1},
                                       {1, 2, 33, 576, 10, 30, 1},
                                       {1, 1, 17, 65, 127, 127, 1},
                                       {1, 1, 40, 70, 300, 260, 1}}) {
    const Tensor q =
        apply(op::Affine{.scale = 2.0f}, {random_tensor({n, h, queries, depth * heads}, 3)});
    const Tensor k = random_tensor({n, h, keys, depth * heads}, 4);
    const Tensor v = random_tensor({n, h, keys, depth_v * heads}, 5);
    check(attention_ladder(), op::Attention{heads, 1.0f}, {q, k, v});
  }
}

TEST_CASE("channel_attention: every rung matches the reference") {
  for (const auto& [n, height, width, depth, heads] :
       std::vector<std::array<int, 5>>{{1, 1, 1, 1, 1},
                                       {2, 5, 7, 10, 3},
                                       {1, 40, 31, 48, 1},
                                       {1, 9, 8, 48, 2},
                                       {1, 16, 33, 127, 1},
                                       {1, 70, 65, 30, 2},
                                       {3, 8, 8, 4, 4}}) {
    std::vector<Tensor> inputs = random_qkv({n, height, width, depth * heads});
    inputs.push_back(apply(op::Affine{.scale = 4.0f}, {random_tensor(vector_shape(heads), 6)}));
    check(channel_attention_ladder(), op::ChannelAttention{heads}, inputs);
  }
}

TEST_CASE("channel_attention: narrow images give f32's numbers, rounded once") {
  for (const auto& [n, height, width, depth, heads] : std::vector<std::array<int, 5>>{
           {1, 1, 1, 1, 1}, {2, 5, 7, 10, 3}, {1, 40, 31, 48, 1}, {1, 9, 8, 48, 2}}) {
    const op::ChannelAttention op{heads};
    std::vector<Tensor> inputs = random_qkv({n, height, width, depth * heads});
    inputs.push_back(apply(op::Affine{.scale = 4.0f}, {random_tensor(vector_shape(heads), 6)}));
    force_variant("channel_attention", "blocks");
    check_narrow(
        op, [&](DType type) { return op.narrow({}, type, DeviceKind::kCpu).value().op; }, inputs,
        7);
    clear_forced_variants();
  }
}

TEST_CASE("channel_attention: channels that are zero everywhere do no harm") {
  std::vector<Tensor> inputs(3, Tensor::zeros({1, 4, 4, 6}));
  inputs[2] = random_tensor({1, 4, 4, 6}, 7);
  inputs.push_back(Tensor::full(vector_shape(2), 1.0f));
  check(channel_attention_ladder(), op::ChannelAttention{2}, inputs);
}

TEST_CASE("attention: a NaN reaches what depends on it and nothing else") {
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (int which = 0; which < 3; ++which) {  // of q, k, v
      CAPTURE(which);
      std::vector<Tensor> inputs;
      for (const Tensor& x : random_qkv({1, 8, 16, 20})) inputs.push_back(x.clone());
      inputs[which].view<float>()(0, 3, 9, 12) = kNan;  // second window, second head
      const Tensor y = mend::apply(op::WindowAttention{8, 8, 0, 0, 2, 1.0f}, inputs);
      const View<const float> got = y.view<const float>();
      if (which == 0) CHECK(all_nan(got, 0, 3, 9, 10, 10));
      if (which == 1) CHECK(all_nan(got, 0, 7, 15, 10, 10));
      if (which == 2) CHECK(all_nan(got, 0, 7, 15, 12, 1));
      CHECK(!std::isnan(got(0, 3, 9, 9)));
      CHECK(!std::isnan(got(0, 3, 7, 12)));
    }
    std::vector<Tensor> inputs;
    for (const Tensor& x : random_qkv({1, 8, 16, 20})) inputs.push_back(x.clone());
    inputs[1].view<float>()(0, 3, 9, 12) = kNan;
    inputs.push_back(Tensor::full(vector_shape(2), 1.0f));
    const Tensor y = mend::apply(op::ChannelAttention{2}, inputs);
    CHECK(all_nan(y.view<const float>(), 0, 0, 0, 10, 10));
    CHECK(!std::isnan(y.view<const float>()(0, 3, 9, 9)));
  });
}

TEST_CASE("gather_bias: picks rows of the table, counted from the end where negative") {
  const Tensor table = random_tensor({1, 1, 9, 2}, 8);
  const Tensor index = Tensor::from({1, 1, 2, 3}, std::vector<float>{0, 8, -1, -9, 4, 4});
  const Tensor bias = apply(op::GatherBias{}, {table, index});
  REQUIRE(bias.shape() == Shape{1, 2, 3, 2});
  const View<const float> b = bias.view<const float>(), t = table.view<const float>();
  CHECK(b(0, 1, 2, 0) == t(0, 0, 8, 1));
  CHECK(b(0, 0, 0, 1) == t(0, 0, 0, 0));
  CHECK(b(0, 0, 1, 1) == t(0, 0, 4, 0));
  for (const float wrong : {9.0f, -10.0f, 0.5f, kNan}) {
    CHECK_THROWS_AS(apply(op::GatherBias{}, {table, Tensor::full({1, 1, 2, 3}, wrong)}),
                    CheckpointError);
  }
}

TEST_CASE("overlapping_position_index: is the index of HAT's checkpoints") {
  const std::string path = shared_path("goldens/hat/x4.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const Tensor index = to_tensor(golden.weights.tensors.at("relative_position_index_OCA"));
  CHECK(identical(index, overlapping_position_index(4, 6)));
}

TEST_CASE("attention: a plan gives the numbers of the eager run") {
  const Tensor x = random_tensor({1, 16, 16, 36}, 9);
  const Tensor table = random_tensor({1, 1, 225, 2}, 10);
  const Tensor temperature = Tensor::full(vector_shape(3), 1.5f);
  const Network network = [&](const std::vector<Tensor>& inputs) {
    const auto slice = [](const Tensor& y, int i) {
      return apply(op::SliceChannels{12 * i, 12}, {y});
    };
    const Tensor bias = apply(op::GatherBias{}, {table, relative_position_index(8, 8)});
    const Tensor q = slice(inputs[0], 0), k = slice(inputs[0], 1), v = slice(inputs[0], 2);
    const Tensor a =
        apply(op::WindowAttention{8, 8, 4, 4, 2, 0.4f, WindowMask::kMinus100}, {q, k, v, bias});
    const Tensor b = apply(op::ChannelAttention{3}, {a, k, v, temperature});
    const op::Reshape tokens{1, 1, 256};
    const Tensor c =
        apply(op::Attention{2, 0.4f}, {apply(tokens, {b}), apply(tokens, {k}), apply(tokens, {v})});
    return std::vector<Tensor>{c};
  };
  Plan plan(network, {x.shape()});
  plan.poison();
  CHECK(identical(plan({x})[0], network({x})[0]));
  // The gathered bias is made once, before the first run.
  for (const Step& step : plan.graph().steps) CHECK(step.op.name() != "gather_bias");
}

TEST_CASE("attention: what does not fit is refused with both sides") {
  const Shape x{1, 16, 16, 12};
  op::WindowAttention windows{.window_h = 8, .window_w = 8, .heads = 2};
  CHECK(windows.shape({x, x, x}) == x);
  CHECK_THROWS_WITH_AS(windows.shape({{1, 12, 16, 12}, {1, 12, 16, 12}, {1, 12, 16, 12}}),
                       "window_attention: windows of 8x8 pixels do not tile an image of "
                       "[1,12,16,12]; pad it",
                       ShapeError);
  CHECK_THROWS_WITH_AS(windows.shape({x, x, x, {1, 2, 64, 49}}),
                       "window_attention: bias is [1,2,64,49], but 2 heads, 64 keys and 64 queries "
                       "need [1,2,64,64]",
                       ShapeError);
  windows.heads = 5;
  CHECK_THROWS_WITH_AS(windows.shape({x, x, x}),
                       "window_attention: 5 heads do not divide the 12 channels of [1,16,16,12]",
                       ShapeError);
  windows.heads = 2;
  windows.kv_window_h = windows.kv_window_w = 12;
  windows.shift_h = 4;
  CHECK_THROWS_AS(windows.shape({x, x, x}), ShapeError);
  windows.shift_h = 0;
  windows.kv_window_h = 11;
  CHECK_THROWS_AS(windows.shape({x, x, x}), ShapeError);
  CHECK_THROWS_AS(op::Attention{}.shape({x, {1, 16, 9, 11}, x}), ShapeError);
  CHECK_THROWS_WITH_AS(op::ChannelAttention{3}.shape({x, x, x, vector_shape(2)}),
                       "channel_attention: temperature is [1,1,1,2], but there are 3 heads",
                       ShapeError);
}

TEST_CASE("attention: windows see themselves, tokens and channels everything") {
  const Shape x{1, 64, 64, 12};
  CHECK(op::WindowAttention{.window_h = 8, .window_w = 8}.footprint({x, x, x}) ==
        Footprint{7, 1, 8, false});
  CHECK(op::WindowAttention{.window_h = 16, .window_w = 16, .kv_window_h = 24, .kv_window_w = 24}
            .footprint({x, x, x}) == Footprint{19, 1, 16, false});
  CHECK(op::WindowAttention{.window_h = 8, .window_w = 32}.footprint({x, x, x}).grid == 32);
  CHECK(op::Attention{}.footprint({x, x, x}).global);
  CHECK(op::ChannelAttention{}.footprint({x, x, x}).global);
}

}  // namespace mend::test
