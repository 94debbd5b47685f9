// Gradients of single operations against PyTorch's: the fixtures' loss is Σ output·probe.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/activation/activation.h"
#include "kernels/attention/attention.h"
#include "kernels/channels/channels.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/gradient.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/fft/fft.h"
#include "kernels/gradient_tape.h"
#include "kernels/matmul/matmul.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/normalization.h"
#include "kernels/pad/pad.h"
#include "kernels/pixel_shuffle/pixel_shuffle.h"
#include "kernels/pool/pool.h"
#include "kernels/rearrange/rearrange.h"
#include "kernels/resample/resample.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

using Json = nlohmann::json;

/// How a fixture's tensors lie: as images NCHW, or with our four extents in the file's order.
enum class Order { kImages, kAsStored };

/// The tensors of a fixture on a tape, by name ("input", "weights/bias"), and its parameters.
struct Fixture {
  std::map<std::string, Tensor> taped;
  Json params;
  std::string name;  // "relu" of activation__relu

  const Tensor& at(const std::string& key) const { return taped.at(key); }
  Tensor optional(const std::string& key) const {
    return taped.contains(key) ? taped.at(key) : Tensor();
  }
};
using Forward = std::function<Tensor(const Fixture&)>;

Tensor as_stored(const StoredTensor& stored) {
  int extents[4] = {1, 1, 1, 1};
  const std::size_t rank = stored.shape.size();
  for (std::size_t i = 0; i < rank; ++i) {
    extents[4 - rank + i] = static_cast<int>(stored.shape[i]);
  }
  return Tensor::from({extents[0], extents[1], extents[2], extents[3]}, stored.to_f32());
}

void check_fixture(const std::string& file, Order order, const Forward& forward) {
  CAPTURE(file);
  const std::string path = shared_path("goldens/ops/" + file + ".safetensors");
  const Golden golden = load_golden(path);
  const auto tensor = [&](const StoredTensor& stored) {
    return order == Order::kImages ? to_tensor(stored) : as_stored(stored);
  };
  const auto tape = make_gradient_tape();
  Fixture fixture;
  fixture.params = Json::parse(golden.metadata.at("params"));
  fixture.name = file.substr(file.find("__") + 2);
  Tensors watched, expected;
  for (const auto& [name, gradient] : golden.stored.tensors) {
    const bool of_weight = name.starts_with("grads/");
    if (!of_weight && !name.starts_with("grad_")) continue;
    const std::string key = of_weight ? name.substr(6) : name.substr(5);
    const StoredTensor& stored =
        of_weight ? golden.weights.tensors.at(key) : golden.stored.tensors.at(key);
    watched.push_back(tape->watch(tensor(stored)));
    expected.push_back(tensor(gradient));
    fixture.taped[of_weight ? "weights/" + key : key] = watched.back();
  }
  for (const auto& [name, stored] : golden.stored.tensors) {
    if (name.starts_with("buffers/")) fixture.taped[name] = tensor(stored);
  }
  const Tensor y = forward(fixture);
  Tensor probe = tensor(golden.stored.tensors.at("probe"));
  if (golden.stored.tensors.contains("probe_imag")) {  // a pair of channels for each number
    const Tensor imaginary = tensor(golden.stored.tensors.at("probe_imag"));
    const Tensor pairs = Tensor::empty(y.shape());
    const View<float> to = pairs.view<float>();
    for (int h = 0; h < to.shape.h; ++h)
      for (int w = 0; w < to.shape.w; ++w)
        for (int c = 0; c < to.shape.c; ++c) {
          to(0, h, w, c) = (c % 2 == 0 ? probe : imaginary).view<const float>()(0, h, w, c / 2);
        }
    probe = pairs;
  }
  const Tensors gradients = tape->gradients({y}, {probe}, watched);
  for (std::size_t i = 0; i < watched.size(); ++i) {
    CAPTURE(i);
    REQUIRE(gradients[i].defined());
    CHECK(relative_error(gradients[i], expected[i]) <= 1e-4);
  }
  CHECK(watched.size() > 0);
}

/// All fixtures of an operation; says so if there are none.
void check_fixtures(const std::string& op, Order order, const Forward& forward,
                    const std::vector<std::string>& left_out = {}) {
  const std::string folder = shared_path("goldens/ops");
  if (!require_data(folder)) return;
  int tried = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string file = entry.path().stem().string();
    const std::string name = file.substr(std::min(file.size(), op.size() + 2));
    if (!file.starts_with(op + "__")) continue;
    if (std::find(left_out.begin(), left_out.end(), name) != left_out.end()) continue;
    check_fixture(file, order, forward);
    ++tried;
  }
  CHECK(tried > 0);
}

Tensor conv2d(const Fixture& f) {
  const Tensor &x = f.at("input"), &weight = f.at("weights/weight");
  const Json& padding = f.params["padding"];
  const std::string mode = f.params["padding_mode"];
  const op::Conv2d conv{
      .kernel_h = weight.shape().h,
      .kernel_w = weight.shape().w,
      .stride = f.params["stride"],
      .padding_h = padding.is_array() ? padding[0].get<int>() : padding.get<int>(),
      .padding_w = padding.is_array() ? padding[1].get<int>() : padding.get<int>(),
      .dilation = f.params["dilation"],
      .groups = f.params["groups"],
      .padding_mode = mode == "reflect"     ? PaddingMode::kReflect
                      : mode == "replicate" ? PaddingMode::kReplicate
                                            : PaddingMode::kZeros,
      .outputs = weight.shape().n};
  return apply(conv, {x, weight, f.optional("weights/bias")});
}

/// Stored [C,K/groups,R,S]: a convolution's weight with inputs and outputs exchanged.
Tensor conv_transpose2d(const Fixture& f) {
  const op::ConvTranspose2d conv{.stride = f.params["stride"],
                                 .padding = f.params["padding"],
                                 .output_padding = f.params["output_padding"],
                                 .groups = f.params["groups"]};
  const op::TurnConv2dWeight exchange{.groups = conv.groups, .turn = false};
  return apply(
      conv, {f.at("input"), apply(exchange, {f.at("weights/weight")}), f.optional("weights/bias")});
}

Tensor resample(const Fixture& f) {
  const std::map<std::string, ResampleMode> kModes = {
      {"nearest", ResampleMode::kNearest},
      {"nearest-exact", ResampleMode::kNearestExact},
      {"bilinear", ResampleMode::kBilinear},
      {"bicubic", ResampleMode::kBicubic},
      {"area", ResampleMode::kArea}};
  const Shape x = f.at("input").shape();
  op::Resample resample{.mode = kModes.at(f.params["mode"])};
  if (f.params.contains("size")) {
    resample.height = f.params["size"][0];
    resample.width = f.params["size"][1];
  } else {
    const double factor = f.params["scale_factor"];
    resample.height = static_cast<int>(x.h * factor);
    resample.width = static_cast<int>(x.w * factor);
    resample.scale_h = resample.scale_w = factor;
  }
  const Json align = f.params["align_corners"];
  resample.align_corners = align.is_boolean() && align.get<bool>();
  resample.antialias = f.params.value("antialias", false);
  return apply(resample, {f.at("input")});
}

Tensor pool(const Fixture& f) {
  const std::map<std::string, AnyOp> kPools = {
      {"adaptive_avg_1", op::AdaptivePool{PoolKind::kAverage, 1, 1}},
      {"adaptive_avg_3x5", op::AdaptivePool{PoolKind::kAverage, 3, 5}},
      {"adaptive_max_3x4", op::AdaptivePool{PoolKind::kMax, 3, 4}},
      {"avg_2", op::Pool{PoolKind::kAverage, 2, 2, 0}},
      {"avg_2_s1", op::Pool{PoolKind::kAverage, 2, 1, 0}},
      {"avg_3_s1_p1_countpad", op::Pool{PoolKind::kAverage, 3, 1, 1}},
      {"max_2", op::Pool{PoolKind::kMax, 2, 2, 0}},
      {"max_3_s2_p1", op::Pool{PoolKind::kMax, 3, 2, 1}},
      {"max_7_s3", op::Pool{PoolKind::kMax, 7, 3, 0}}};
  return apply(kPools.at(f.name), {f.at("input")});
}

Tensor pad(const Fixture& f) {
  const std::map<std::string, PadMode> kModes = {{"constant", PadMode::kConstant},
                                                 {"reflect", PadMode::kReflect},
                                                 {"replicate", PadMode::kReplicate},
                                                 {"circular", PadMode::kCircular}};
  return apply(op::Pad{f.params["top"], f.params["bottom"], f.params["left"], f.params["right"],
                       kModes.at(f.params["mode"])},
               {f.at("input")});
}

Tensor activation(const Fixture& f) {
  const std::map<std::string, Activation> kActivations = {
      {"elu", {ActivationKind::kElu, 1}},
      {"gelu_erf", {ActivationKind::kGelu}},
      {"gelu_tanh", {ActivationKind::kGeluTanh}},
      {"hardsigmoid", {ActivationKind::kHardSigmoid}},
      {"hardswish", {ActivationKind::kHardSwish}},
      {"leaky_relu_0.01", {ActivationKind::kLeakyRelu, 0.01f}},
      {"leaky_relu_0.2", {ActivationKind::kLeakyRelu, 0.2f}},
      {"mish", {ActivationKind::kMish}},
      {"prelu_per_channel", {ActivationKind::kPrelu}},
      {"prelu_shared", {ActivationKind::kPrelu}},
      {"relu", {ActivationKind::kRelu}},
      {"relu6", {ActivationKind::kRelu6}},
      {"sigmoid", {ActivationKind::kSigmoid}},
      {"silu", {ActivationKind::kSilu}},
      {"softplus", {ActivationKind::kSoftplus}},
      {"tanh", {ActivationKind::kTanh}}};
  return apply(op::Activate{kActivations.at(f.name)},
               {f.at("input"), f.optional("weights/weight")});
}

/// A linear layer: stored [out,in].
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const int outputs = weight.shape().w;
  return apply(op::Conv2d{.outputs = outputs},
               {x, apply(op::Reshape{outputs, 1, 1}, {weight}), bias});
}

Tensor window_attention(const Fixture& f) {
  const int window = f.params["window"], shift = f.params["shift"], heads = f.params["heads"];
  const Tensor& x = f.at("input");
  const int dim = x.shape().c;
  const Tensor all = linear(x, f.at("weights/qkv.weight"), f.at("weights/qkv.bias"));
  const auto part = [&](int i) { return apply(op::SliceChannels{i * dim, dim}, {all}); };
  const Tensor bias = apply(op::GatherBias{}, {f.at("weights/relative_position_bias_table"),
                                               relative_position_index(window, window)});
  const op::WindowAttention attention{
      .window_h = window,
      .window_w = window,
      .shift_h = shift,
      .shift_w = shift,
      .heads = heads,
      .scale = 1 / std::sqrt(static_cast<float>(dim / heads)),
      .mask = shift > 0 ? WindowMask::kMinus100 : WindowMask::kNone};
  const Tensor y = apply(attention, {part(0), part(1), part(2), bias});
  return linear(y, f.at("weights/proj.weight"), f.at("weights/proj.bias"));
}

/// Stored [1,heads,channels,pixels]; heads and channels of a pixel are side by side in the operation.
Tensor channel_attention(const Fixture& f) {
  const Shape stored = f.at("input").shape();
  const int heads = stored.h, channels = stored.w;
  const auto pixels = [&](const std::string& key) {
    return apply(op::Transpose{}, {apply(op::Reshape{1, 1, heads * channels}, {f.at(key)})});
  };
  const Tensor temperature =
      apply(op::Transpose{}, {apply(op::Reshape{1, 1, heads}, {f.at("weights/temperature")})});
  const Tensor y = apply(op::ChannelAttention{heads},
                         {pixels("input"), pixels("key"), pixels("value"), temperature});
  return apply(op::Reshape{1, heads, channels}, {apply(op::Transpose{}, {y})});
}

/// With the statistics of the batch, or with the stored ones.
Tensor batch_norm(const Fixture& f) {
  const auto column = [](const Tensor& x) { return apply(op::Transpose{}, {x}); };
  const Tensor running = column(apply(
      op::Concat{}, {column(f.at("buffers/running_mean")), column(f.at("buffers/running_var"))}));
  const Tensor measured = apply(op::BatchStatistics{}, {f.at("input")});
  return apply(op::BatchNorm{f.params["eps"]},
               {f.at("input"), f.name == "train" ? measured : running, f.at("weights/weight"),
                f.at("weights/bias")});
}

FftNorm norm_of(const Fixture& f) {
  return f.params["norm"] == "ortho" ? FftNorm::kOrtho : FftNorm::kBackward;
}

/// The real and imaginary parts side by side, and then in pairs.
Tensor inverse_fft(const Fixture& f) {
  const Tensor both = apply(op::Concat{}, {f.at("input"), f.at("imag")});
  const int C = both.shape().c / 2;
  Tensors pairs;
  for (int c = 0; c < C; ++c) {
    pairs.push_back(apply(op::SliceChannels{c, 1}, {both}));
    pairs.push_back(apply(op::SliceChannels{C + c, 1}, {both}));
  }
  const int width = f.params["s"][1];
  return apply(op::InverseRealFft2{norm_of(f), width}, {mend::apply(op::Concat{}, Inputs(pairs))});
}

}  // namespace

TEST_CASE("gradients: of single operations equal PyTorch's") {
  const auto input = [](const AnyOp& op) {
    return [op](const Fixture& f) { return apply(op, {f.at("input")}); };
  };
  check_fixtures("activation", Order::kImages, activation);
  check_fixtures("conv2d", Order::kImages, conv2d);
  check_fixtures("conv_transpose2d", Order::kImages, conv_transpose2d);
  check_fixtures("interpolate", Order::kImages, resample);
  check_fixtures("pool", Order::kImages, pool);
  check_fixtures("pad", Order::kImages, pad);
  check_fixtures("pixel_shuffle", Order::kImages, [](const Fixture& f) {
    return apply(op::PixelShuffle{f.params["r"]}, {f.at("input")});
  });
  check_fixtures("pixel_unshuffle", Order::kImages, [](const Fixture& f) {
    return apply(op::PixelUnshuffle{f.params["r"]}, {f.at("input")});
  });
  check_fixtures("roll", Order::kImages, [](const Fixture& f) {
    return apply(op::Roll{f.params["shift"][0], f.params["shift"][1]}, {f.at("input")});
  });
  check_fixtures("simple_gate", Order::kImages, [](const Fixture& f) {
    const int half = f.at("input").shape().c / 2;
    return apply(op::Binary{BinaryKind::kMultiply},
                 {apply(op::SliceChannels{0, half}, {f.at("input")}),
                  apply(op::SliceChannels{half, half}, {f.at("input")})});
  });
  check_fixtures("matmul", Order::kAsStored, [](const Fixture& f) {
    return apply(op::Matmul{f.params["transpose_a"], f.params["transpose_b"]},
                 {f.at("input"), f.at("input2")});
  });
  check_fixtures("linear", Order::kAsStored, [](const Fixture& f) {
    return linear(f.at("input"), f.at("weights/weight"), f.at("weights/bias"));
  });
  check_fixtures("layer_norm", Order::kAsStored, [](const Fixture& f) {
    return apply(op::LayerNorm{1e-5f, f.name != "biasfree_restormer"},
                 {f.at("input"), f.at("weights/weight"), f.optional("weights/bias")});
  });
  check_fixtures("layer_norm2d", Order::kImages, [](const Fixture& f) {
    return apply(op::LayerNorm{1e-6f},
                 {f.at("input"), f.at("weights/weight"), f.at("weights/bias")});
  });
  check_fixtures("group_norm", Order::kImages, [](const Fixture& f) {
    return apply(op::GroupNorm{f.params["groups"]},
                 {f.at("input"), f.at("weights/weight"), f.at("weights/bias")});
  });
  check_fixtures("instance_norm", Order::kImages, [](const Fixture& f) {
    return apply(op::GroupNorm{f.at("input").shape().c},
                 {f.at("input"), f.optional("weights/weight"), f.optional("weights/bias")});
  });
  check_fixtures("batch_norm", Order::kImages, batch_norm);
  check_fixtures("l2_normalize", Order::kAsStored, input(op::L2Normalize{}));
  check_fixtures("softmax", Order::kAsStored, input(op::Softmax{}), {"dim1"});
  check_fixtures("softmax", Order::kImages, input(op::Softmax{}), {"dimm1"});
  check_fixtures("attention", Order::kAsStored, window_attention, {"channel_restormer", "sdpa"});
  check_fixtures(
      "attention", Order::kAsStored,
      [](const Fixture& f) {
        const float scale = 1 / std::sqrt(static_cast<float>(f.at("input").shape().c));
        return apply(op::Attention{.scale = scale}, {f.at("input"), f.at("key"), f.at("value")});
      },
      {"channel_restormer", "window4_shift0", "window4_shift2", "window8_shift4"});
  check_fixtures("attention", Order::kAsStored, channel_attention,
                 {"sdpa", "window4_shift0", "window4_shift2", "window8_shift4"});
  check_fixtures("rfft2", Order::kImages,
                 [](const Fixture& f) { return apply(op::RealFft2{norm_of(f)}, {f.at("input")}); });
  check_fixtures("irfft2", Order::kImages, inverse_fft);
}

}  // namespace mend::test
