// The CUDA rungs of attention against the references on the CPU.
#include "kernels/attention/attention.h"

#include <array>
#include <cmath>
#include <limits>

#include "engine/plan.h"
#include "kernels/attention/gradient.h"
#include "kernels/matmul/matmul.h"
#include "kernels/normalization/gradient.h"
#include "kernels/normalization/normalization.h"
#include "kernels/rearrange/rearrange.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

constexpr WindowMask kNone = WindowMask::kNone, kMinus100 = WindowMask::kMinus100;

AttentionCall call_of(Inputs in, const Tensor& y) {
  return {
      in[0].view<const float>(), in[1].view<const float>(),
      in[2].view<const float>(), in.size() > 3 ? in[3].view<const float>() : View<const float>{},
      y.view<float>(),           {}};
}

template <class Op, class Kernel>
int check(std::span<const Variant<Op, Kernel>> ladder, const Op& attention,
          const std::vector<Tensor>& inputs) {
  return check_gpu_rungs(ladder, attention, inputs, [&](Kernel kernel, Inputs in, const Tensor& y) {
    kernel(attention, call_of(in, y));
  });
}

/// Scores of about `size` in a head of `depth` channels.
float bound_for(float size, int depth) {
  return std::sqrt(size / std::sqrt(static_cast<float>(depth) / 9));
}

int check_window(op::WindowAttention attention, const Shape& shape, bool biased = true) {
  const int depth = shape.c / attention.heads;
  attention.scale = 0.7f;
  const float bound = bound_for(2.0f, depth);
  std::vector<Tensor> inputs{random_within(shape, bound, 1), random_within(shape, bound, 2),
                             random_tensor(shape, 3)};
  if (biased) {
    inputs.push_back(random_tensor({1, attention.heads, attention.keys(), attention.queries()}, 4));
  }
  return check(window_attention_ladder(), attention, inputs);
}

}  // namespace

TEST_CASE("window_attention on the GPU: every rung matches the reference") {
  CHECK(check_window({1, 1, 0, 0, 1}, {1, 2, 3, 1}) == 3);
  check_window({2, 2, 1, 1, 1, 1, kMinus100}, {2, 4, 6, 3});
  check_window({8, 8, 4, 4, 2, 1, kMinus100}, {1, 16, 16, 60});
  check_window({8, 8, 0, 0, 1, 1, kNone}, {1, 8, 8, 32}, false);
  check_window({8, 8, 4, 4, 2, 1, WindowMask::kMinusInfinity}, {2, 8, 16, 64}, false);
  check_window({7, 7, 3, 3, 3, 1, kMinus100}, {1, 7, 14, 30});
  check_window({4, 4, 2, 2, 1, 1, kMinus100}, {1, 8, 4, 48}, false);
  check_window({9, 3, 0, 2, 2, 1, kMinus100}, {1, 9, 9, 128});
  CHECK(check_window({4, 4, 2, 2, 1, 1, kMinus100}, {1, 8, 8, 127}, false) == 1);
  check_window({.window_h = 8, .window_w = 4, .heads = 2, .dilated = true}, {1, 24, 8, 10});
}

TEST_CASE("window_attention on the GPU: keys that pass by in tiles") {
  check_window({16, 16, 8, 8, 1, 1, kMinus100}, {1, 16, 16, 30});
  check_window({8, 16, 0, 8, 1, 1, WindowMask::kMinusInfinity}, {1, 8, 16, 12});
  check_window({.window_h = 4, .window_w = 4, .heads = 2, .kv_window_h = 6, .kv_window_w = 6},
               {2, 8, 4, 12});
  check_window({.window_h = 2, .window_w = 3, .heads = 1, .kv_window_h = 6, .kv_window_w = 5},
               {1, 4, 6, 8}, false);
  check_window({.window_h = 8, .window_w = 8, .heads = 1, .kv_window_h = 14, .kv_window_w = 12},
               {1, 8, 16, 40});
}

TEST_CASE("window_attention on the GPU: q, k and v are slices of one tensor") {
  op::WindowAttention attention{8, 8, 4, 4, 6, 0.5f, kMinus100};
  const Tensor qkv = random_tensor({1, 8, 16, 180}, 1), bias = random_tensor({1, 6, 64, 64}, 2);
  const auto on = [&](const Tensor& all, const Tensor& with) {
    return std::vector<Tensor>{all.channels(0, 60), all.channels(60, 60), all.channels(120, 60),
                               with};
  };
  const Tensor expected = mend::apply(attention, Inputs(on(qkv, bias)));
  const Tensor y = mend::apply(attention, Inputs(on(to_gpu(qkv), to_gpu(bias))));
  CHECK(relative_error(to_host(y), expected) <= 1e-3);
}

TEST_CASE("attention on the GPU: every rung matches the reference") {
  const auto check_rows = [](int heads, const Shape& q, int keys, int depth_v) {
    const float bound = bound_for(3.0f, q.c / heads);
    const Shape k{q.n, q.h, keys, q.c}, v{q.n, q.h, keys, depth_v};
    return check(attention_ladder(), op::Attention{heads, 0.6f},
                 {random_within(q, bound, 1), random_within(k, bound, 2), random_tensor(v, 3)});
  };
  CHECK(check_rows(1, {1, 1, 1, 1}, 1, 1) == 3);
  check_rows(2, {2, 3, 17, 12}, 5, 8);
  check_rows(1, {1, 2, 5, 24}, 130, 31);
  check_rows(2, {1, 1, 200, 64}, 70, 64);
  check_rows(1, {1, 1, 40, 20}, 65, 64);
  CHECK(check_rows(1, {1, 1, 9, 130}, 33, 270) == 1);
}

TEST_CASE("channel_attention on the GPU: every rung matches the reference") {
  const auto check_channels = [](int heads, const Shape& shape) {
    const Tensor temperature = random_within(vector_shape(heads), 4, 4);
    return check(
        channel_attention_ladder(), op::ChannelAttention{heads},
        {random_tensor(shape, 1), random_tensor(shape, 2), random_tensor(shape, 3), temperature});
  };
  CHECK(check_channels(1, {1, 1, 1, 1}) == 2);
  check_channels(3, {1, 5, 3, 9});
  check_channels(2, {2, 9, 11, 32});
  check_channels(1, {1, 9, 8, 48});
  check_channels(2, {1, 7, 9, 50});
  check_channels(1, {1, 6, 11, 64});
  CHECK(check_channels(1, {1, 4, 5, 70}) == 1);
}

TEST_CASE("channel_attention on the GPU: columns of zeros have a length") {
  const Tensor zeros = Tensor::zeros({1, 5, 6, 8}), v = random_tensor({1, 5, 6, 8}, 1);
  check(channel_attention_ladder(), op::ChannelAttention{2},
        {zeros, zeros, v, Tensor::full(vector_shape(2), 1.0f)});
}

TEST_CASE("channel_attention on the GPU: many pixels in several parts") {
  const Shape shape{1, 60, 50, 16};
  check(channel_attention_ladder(), op::ChannelAttention{1},
        {random_tensor(shape, 1), random_tensor(shape, 2), random_tensor(shape, 3),
         Tensor::full(vector_shape(1), 3.0f)});
}

namespace {

const op::WindowAttention kWindows[] = {
    {2, 3, 0, 0, 2},
    {2, 3, 1, 2, 2, 1, kMinus100},
    {4, 2, 3, 0, 2, 1, kMinus100},
    {.window_h = 4, .window_w = 2, .heads = 2, .dilated = true},
    {.window_h = 2, .window_w = 2, .heads = 2, .kv_window_h = 6, .kv_window_w = 4},
};

/// Runs an operation of one tensor.
template <class Op>
void check_moves(std::span<const Variant<Op, MoveTokensKernel<Op>>> ladder, const Op& op,
                 const Tensor& x) {
  check_gpu_rungs(ladder, op, {x}, [&](MoveTokensKernel<Op> kernel, Inputs in, const Tensor& y) {
    kernel(op, in[0].view<const float>(), y.view<float>());
  });
}

}  // namespace

TEST_CASE("attention's gradients on the GPU: windows are split, merged and masked") {
  for (const op::WindowAttention& windows : kWindows) {
    for (const int depth : {1, 3, 8}) {
      const Shape image{2, 8, 12, 2 * depth};
      for (const bool keys : {false, true}) {
        const op::SplitWindows split{windows, keys};
        check_moves(split_windows_ladder(), split, random_tensor(image, 1));
        check_moves(merge_windows_ladder(), op::MergeWindows{windows, keys, image.h, image.w},
                    random_tensor(split.shape({image}), 2));
      }
    }
    if (windows.keys() != windows.queries()) continue;
    const Shape scores{2 * 96 / windows.queries(), 2, windows.queries(), windows.keys()};
    check_moves(mask_windows_ladder(), op::MaskWindows{windows, 8, 12}, random_tensor(scores, 3));
  }
}

TEST_CASE("attention's gradients on the GPU: masks of minus infinity") {
  const op::MaskWindows mask{{4, 2, 3, 0, 2, 1, WindowMask::kMinusInfinity}, 8, 12};
  const Tensor scores = random_tensor({24, 2, 8, 8}, 1);
  CHECK(identical(to_host(apply(mask, {to_gpu(scores)})), apply(mask, {scores})));
}

TEST_CASE("gather_bias on the GPU: rows of the table and their gradient") {
  for (const int heads : {1, 3, 9}) {
    for (const Tensor& index : {relative_position_index(3, 2), overlapping_position_index(2, 4)}) {
      const int entries = index.shape().w == 6 ? 15 : 25;
      check_gpu_rungs(
          gather_bias_ladder(), op::GatherBias{}, {random_tensor({1, 1, entries, heads}, 1), index},
          [](GatherBiasKernel kernel, Inputs in, const Tensor& y) {
            kernel({}, in[0].view<const float>(), in[1].view<const float>(), y.view<float>());
          });
      const op::GatherBiasGradient gradient{entries};
      check_gpu_rungs(
          gather_bias_gradient_ladder(), gradient,
          {random_tensor({1, heads, index.shape().c, index.shape().w}, 2), index},
          [&](GatherBiasGradientKernel kernel, Inputs in, const Tensor& y) {
            std::vector<std::byte> scratch(static_cast<std::size_t>(gradient.scratch_bytes({})));
            kernel(gradient, in[0].view<const float>(), in[1].view<const float>(), y.view<float>(),
                   scratch);
          });
    }
  }
}

TEST_CASE("gather_bias on the GPU: where the index is no row, y is NaN") {
  const Tensor table = random_tensor({1, 1, 4, 1}, 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor index = Tensor::from({1, 1, 2, 3}, std::array{0.0f, -4.0f, 3.0f, 4.0f, -5.0f, 0.5f});
  const Tensor y = to_host(apply(op::GatherBias{}, {to_gpu(table), to_gpu(index)}));
  const View<const float> bias = y.view<const float>();
  for (int k = 0; k < 3; ++k) {
    CHECK(!std::isnan(bias(0, 0, k, 0)));
    CHECK(std::isnan(bias(0, 0, k, 1)));
  }
  index.view<float>().data[0] = nan;
  CHECK(std::isnan(to_host(apply(op::GatherBias{}, {to_gpu(table), to_gpu(index)}))
                       .view<const float>()
                       .data[0]));
}

namespace {

/// The gradients of all inputs, in a plan, as training has them: on the GPU and on the CPU.
template <class Op>
void check_gradients(const Op& op, const std::vector<Tensor>& inputs) {
  for (const AnyOp& part : {AnyOp(op::Matmul{}), AnyOp(op::Softmax{}), AnyOp(op::SoftmaxGradient{}),
                            AnyOp(op::Transpose{})}) {
    if (!part.runs_on(DeviceKind::kCuda)) return;  // what gradients are made of is not there yet
  }
  const std::vector<bool> wanted(inputs.size(), true);
  const Network gradients = [&](const Tensors& given) {
    const Tensors in(given.begin(), given.end() - 1);
    return op.backward({in, given.back(), given.back(), wanted});
  };
  Tensors given = inputs;
  given.push_back(random_tensor(op.shape(shapes_of(inputs)), 9));
  Plan here(gradients, shapes_of(given));
  Plan there(gradients, shapes_of(given), nullptr, {.device = &gpu(0)});
  const Tensors expected = here(given), found = there(given);
  CAPTURE(AnyOp(op).describe());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(relative_error(found[i], expected[i]) <= 5e-3);  // products in TF32
  }
}

}  // namespace

TEST_CASE("attention's gradients on the GPU: in a plan they are the CPU's") {
  const Shape x{2, 8, 12, 8};
  const std::vector<Tensor> qkv{random_tensor(x, 1), random_tensor(x, 2), random_tensor(x, 3)};
  for (const op::WindowAttention& windows : kWindows) {
    std::vector<Tensor> inputs = qkv;
    inputs.push_back(random_tensor({1, windows.heads, windows.keys(), windows.queries()}, 4));
    check_gradients(windows, inputs);
  }
  check_gradients(op::Attention{2, 0.7f}, qkv);
  check_gradients(op::ChannelAttention{2},
                  {qkv[0], qkv[1], qkv[2], Tensor::full(vector_shape(2), 2.0f)});
}

}  // namespace mend::test
