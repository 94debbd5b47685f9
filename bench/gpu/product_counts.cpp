// What mend_gpu_counts runs of convolutions, their weights' gradients, and matrix products.
#include <string_view>

#include "bench/gpu/counts.h"
#include "engine/gpu.h"
#include "engine/quantization.h"
#include "kernels/conv2d/gradient.h"
#include "kernels/conv2d/variant.h"
#include "kernels/conv2d_pair/conv2d_pair.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/matmul/matmul.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/quantized_conv2d/quantized_conv2d.h"

namespace mend::bench {
namespace {

struct Case {
  const char* name;
  const char* rung;
  DType type;
  int side, C, K;
  int batch = 1;
  int kernel = 3, stride = 1, groups = 1;
};

// Sizes of real layers; the slow rungs on smaller images, for the simulator's sake.
constexpr Case kCases[] = {
    {"conv2d/cuda_naive/64to64/16x16/f32", "conv2d/cuda_naive", DType::kF32, 16, 64, 64},
    {"conv2d/cuda_tiled/64to64/32x32/f32", "conv2d/cuda_tiled", DType::kF32, 32, 64, 64},
    {"conv2d/cuda_winograd4/64to64/128x128/f32", "conv2d/cuda_winograd4", DType::kF32, 128, 64, 64},
    {"conv2d/cuda_winograd4/64to64/256x256/f32", "conv2d/cuda_winograd4", DType::kF32, 256, 64, 64},
    {"conv2d/cuda_winograd4/48to48/48x48x16/f32", "conv2d/cuda_winograd4", DType::kF32, 48, 48, 48,
     16},
    {"conv2d/cuda_mma/64to64/128x128/f16", "conv2d/cuda_mma", DType::kF16, 128, 64, 64},
    {"conv2d/cuda_mma/64to64/128x128/bf16", "conv2d/cuda_mma", DType::kBF16, 128, 64, 64},
    {"conv2d/cuda_mma/128to128/64x64/f16", "conv2d/cuda_mma", DType::kF16, 64, 128, 128},
    {"conv2d/cuda_mma/64to3/128x128/f16", "conv2d/cuda_mma", DType::kF16, 128, 64, 3},
    {"conv2d/cuda_f16/64to64/128x128/f16", "conv2d/cuda_f16", DType::kF16, 128, 64, 64},
    {"conv2d/cuda_f16/64to64/512x512/f16", "conv2d/cuda_f16", DType::kF16, 512, 64, 64},
    {"conv2d/cuda_f16/128to128/64x64/f16", "conv2d/cuda_f16", DType::kF16, 64, 128, 128},
    {"conv2d/cuda_f16/64to3/128x128/bf16", "conv2d/cuda_f16", DType::kBF16, 128, 64, 3},
    {"conv2d/cuda_tf32/64to64/128x128/f32", "conv2d/cuda_tf32", DType::kF32, 128, 64, 64},
    {"conv2d/cuda_tf32/48to48/48x48x16/f32", "conv2d/cuda_tf32", DType::kF32, 48, 48, 48, 16},
    {"conv2d/cuda_tf32/24to24/64x64x16/f32", "conv2d/cuda_tf32", DType::kF32, 64, 24, 24, 16},
    {"conv2d/cuda_tf32_gemm/64to64/128x128/1x1", "conv2d/cuda_tf32_gemm", DType::kF32, 128, 64, 64,
     1, 1},
    {"conv2d/cuda_tf32_gemm/180to540/64x64/1x1", "conv2d/cuda_tf32_gemm", DType::kF32, 64, 180, 540,
     1, 1},
    {"conv2d/cuda_tf32_gemm/180to540/128x128/1x1", "conv2d/cuda_tf32_gemm", DType::kF32, 128, 180,
     540, 1, 1},
    {"conv2d/cuda_f16_gemm/180to540/128x128/1x1/f16", "conv2d/cuda_f16_gemm", DType::kF16, 128, 180,
     540, 1, 1},
    {"conv2d/cuda_tf32_gemm/48to144/128x128/1x1", "conv2d/cuda_tf32_gemm", DType::kF32, 128, 48,
     144, 1, 1},
    {"conv2d/cuda_f16_gemm/48to144/128x128/1x1/f16", "conv2d/cuda_f16_gemm", DType::kF16, 128, 48,
     144, 1, 1},
    {"conv2d/cuda_tf32_gemm/64to128/128x128/2x2s2", "conv2d/cuda_tf32_gemm", DType::kF32, 128, 64,
     128, 1, 2, 2},
    {"conv2d/cuda_f16_gemm/64to64/128x128/1x1/f16", "conv2d/cuda_f16_gemm", DType::kF16, 128, 64,
     64, 1, 1},
    {"conv2d/cuda_f16_gemm/60to120/64x64/1x1/f16", "conv2d/cuda_f16_gemm", DType::kF16, 64, 60, 120,
     1, 1},
    {"conv2d/cuda_f16_gemm/180to540/64x64/1x1/f16", "conv2d/cuda_f16_gemm", DType::kF16, 64, 180,
     540, 1, 1},
    {"conv2d/cuda_depthwise/64to64/256x256/3x3/f16", "conv2d/cuda_depthwise", DType::kF16, 256, 64,
     64, 1, 3, 1, 64},
    {"conv2d/cuda_depthwise/64to64/256x256/3x3", "conv2d/cuda_depthwise", DType::kF32, 256, 64, 64,
     1, 3, 1, 64},
    {"conv2d/cuda_depthwise/64to64/128x128/5x5", "conv2d/cuda_depthwise", DType::kF32, 128, 64, 64,
     1, 5, 1, 64},
    {"conv2d_weight_gradient/cuda_tf32/64to64/64x64/3x3/f32", "conv2d_weight_gradient/cuda_tf32",
     DType::kF32, 64, 64, 64, 1, 3},
    {"conv2d_weight_gradient/cuda_bf16/64to64/64x64/3x3/bf16", "conv2d_weight_gradient/cuda_bf16",
     DType::kBF16, 64, 64, 64, 1, 3},
    {"conv2d_weight_gradient/cuda_tf32_gemm/64to128/128x128/1x1",
     "conv2d_weight_gradient/cuda_tf32_gemm", DType::kF32, 128, 64, 128, 1, 1},
    {"conv2d_weight_gradient/cuda_depthwise/64to64/128x128/3x3",
     "conv2d_weight_gradient/cuda_depthwise", DType::kF32, 128, 64, 64, 1, 3, 1, 64},
};

/// Transposed 2x2 of stride 2.
struct Enlarging {
  const char* name;
  const char* rung;
  DType type;
  int side, C, K;
};

constexpr Enlarging kEnlargings[] = {
    {"conv_transpose2d/cuda_tiled/128to64/64x64/f32", "conv_transpose2d/cuda_tiled", DType::kF32,
     64, 128, 64},
    {"conv_transpose2d/cuda_tf32_gemm/128to64/64x64/f32", "conv_transpose2d/cuda_tf32_gemm",
     DType::kF32, 64, 128, 64},
    {"conv_transpose2d/cuda_f16_gemm/128to64/64x64/f16", "conv_transpose2d/cuda_f16_gemm",
     DType::kF16, 64, 128, 64},
};

/// Two layers of C channels in one kernel, or in two launches of a rung of conv2d.
struct TwoLayers {
  const char* name;
  const char* rung;
  DType type;
  int side, C;
};

constexpr TwoLayers kTwoLayers[] = {
    {"conv2d_pair/cuda_mma/64to64/128x128/f16", "conv2d_pair/cuda_mma", DType::kF16, 128, 64},
    {"conv2d_pair/cuda_mma/64to64/128x128/bf16", "conv2d_pair/cuda_mma", DType::kBF16, 128, 64},
    {"conv2d_pair/cuda_mma/48to48/128x128/f16", "conv2d_pair/cuda_mma", DType::kF16, 128, 48},
    {"conv2d_pair/cuda_mma/32to32/128x128/f16", "conv2d_pair/cuda_mma", DType::kF16, 128, 32},
    {"conv2d_pair/cuda_mma/16to16/256x256/f16", "conv2d_pair/cuda_mma", DType::kF16, 256, 16},
    {"conv2d_pair/apart/64to64/128x128/f16", "conv2d/cuda_f16", DType::kF16, 128, 64},
    {"conv2d_pair/apart/16to16/256x256/f16", "conv2d/cuda_f16", DType::kF16, 256, 16},
};

/// A layer norm and the linear layer behind it.
struct NormedProduct {
  const char* name;
  const char* rung;
  DType type;
  int side, C, K;
};

constexpr NormedProduct kNormedProducts[] = {
    {"norm_linear/cuda_tf32/180to540/128x128", "norm_linear/cuda_tf32", DType::kF32, 128, 180, 540},
    {"norm_linear/cuda_tf32/48to144/128x128", "norm_linear/cuda_tf32", DType::kF32, 128, 48, 144},
    {"norm_linear/cuda_f16/180to540/128x128", "norm_linear/cuda_f16", DType::kF16, 128, 180, 540},
    {"norm_linear/cuda_f16/48to144/128x128", "norm_linear/cuda_f16", DType::kF16, 128, 48, 144},
};

/// A 3x3 layer of 8-bit integers.
struct QuantizedLayer {
  const char* name;
  const char* rung;
  bool quantizes_output;
  int side, C, K;
};

constexpr QuantizedLayer kQuantizedLayers[] = {
    {"quantized_conv2d/cuda_naive/64to64/16x16/i8", "quantized_conv2d/cuda_naive", true, 16, 64,
     64},
    {"quantized_conv2d/cuda_int8/64to64/128x128/i8", "quantized_conv2d/cuda_int8", true, 128, 64,
     64},
    {"quantized_conv2d/cuda_int8/64to48/128x128/f32", "quantized_conv2d/cuda_int8", false, 128, 64,
     48},
};

/// Products [rows, inner] x [inner, columns].
struct Product {
  const char* name;
  const char* rung;
  op::Matmul matmul;
  int batch, rows, inner, columns;
};

constexpr Product kProducts[] = {
    {"matmul/cuda_naive/128x128x128", "matmul/cuda_naive", {}, 1, 128, 128, 128},
    {"matmul/cuda_tiled/512x256x512", "matmul/cuda_tiled", {}, 1, 512, 256, 512},
    {"matmul/cuda_tf32/1024x512x1024", "matmul/cuda_tf32", {}, 1, 1024, 512, 1024},
    {"matmul/cuda_tf32/1024x512x1024/nt", "matmul/cuda_tf32", {false, true}, 1, 1024, 512, 1024},
    {"matmul/cuda_tf32/8x48x16384x48/tn", "matmul/cuda_tf32", {true, false}, 8, 48, 16384, 48},
};

/// Only the rung after the operation's name.
void force(std::string_view rung) {
  const std::size_t slash = rung.find('/');
  force_variant(std::string(rung.substr(0, slash)), std::string(rung.substr(slash + 1)));
}

/// A layer with bias and leaky ReLU, or its weight's gradient.
CountedProblem run(const Case& c) {
  force(c.rung);
  op::Conv2d op;
  op.kernel_h = op.kernel_w = c.kernel;
  op.stride = c.stride;
  op.groups = c.groups;
  op.padding_h = op.padding_w = c.kernel % 2 == 1 ? c.kernel / 2 : 0;
  op.outputs = c.K;
  op.type = c.type;
  op.activation = {ActivationKind::kLeakyRelu, 0.2f};
  const Tensor x = Tensor::zeros({c.batch, c.side, c.side, c.C}, c.type, gpu(0));
  Tensor weight = Tensor::zeros({c.K, c.kernel, c.kernel, c.C / c.groups}, DType::kF32, gpu(0));
  if (std::string_view(c.rung).starts_with(op::Conv2dWeightGradient::kName)) {
    const op::Conv2dWeightGradient gradient{c.kernel,     c.kernel, c.stride, op.padding_h,
                                            op.padding_w, 1,        c.groups, c.type};
    const Tensor dy = Tensor::zeros(op.shape({x.shape(), weight.shape()}), c.type, gpu(0));
    const Tensor dw = apply(gradient, {x, dy});
    return {c.rung, x.bytes(), dw.bytes(), dy.bytes(),
            gradient.cost({x.shape(), dy.shape()}).flops};
  }
  const Tensor bias = Tensor::zeros(vector_shape(c.K), DType::kF32, gpu(0));
  const double flops = op.cost({x.shape(), weight.shape(), bias.shape()}).flops;
  op.variant = &choose(conv2d_ladder(), op, {x.shape(), weight.shape()}, DeviceKind::kCuda);
  if (op.variant->kernel.packs()) weight = apply(op::PackConv2dWeight{op}, {weight});
  const Tensor y = apply(op, {x, weight, bias});
  return {c.rung, x.bytes(), weight.bytes(), y.bytes(), flops};
}

CountedProblem run(const Enlarging& e) {
  force(e.rung);
  const Tensor x = Tensor::zeros({1, e.side, e.side, e.C}, e.type, gpu(0));
  const Tensor weight = Tensor::zeros({e.K, 2, 2, e.C}, DType::kF32, gpu(0));
  const op::ConvTranspose2d op{.stride = 2, .type = e.type};
  const Tensor y = apply(op, {x, weight});
  return {e.rung, x.bytes(), weight.bytes() * static_cast<std::int64_t>(size_of(e.type)) / 4,
          y.bytes(), op.cost({x.shape(), weight.shape()}).flops};
}

/// With biases and leaky ReLU.
CountedProblem run(const TwoLayers& c) {
  force(c.rung);
  op::Conv2d layer;
  layer.kernel_h = layer.kernel_w = 3;
  layer.padding_h = layer.padding_w = 1;
  layer.outputs = c.C;
  layer.type = c.type;
  layer.activation = {ActivationKind::kLeakyRelu, 0.2f};
  const Tensor x = Tensor::zeros({1, c.side, c.side, c.C}, c.type, gpu(0));
  const Tensor weight = Tensor::zeros({c.C, 3, 3, c.C}, DType::kF32, gpu(0));
  const Tensor bias = Tensor::zeros(vector_shape(c.C), DType::kF32, gpu(0));
  const op::Conv2dPair pair{layer, layer};
  Tensor y;
  if (std::string_view(c.rung).starts_with(op::Conv2dPair::kName)) {
    y = apply(pair, {x, weight, bias, {}, weight, bias});
  } else {
    y = apply(layer, {apply(layer, {x, weight, bias}), weight, bias});
  }
  const double flops = pair.cost({x.shape(), weight.shape(), {}, {}, weight.shape()}).flops;
  // Packed, of the images' type.
  const std::int64_t weights =
      2 * weight.shape().elements() * static_cast<std::int64_t>(size_of(c.type));
  return {c.rung, x.bytes(), weights, y.bytes(), flops};
}

CountedProblem run(const NormedProduct& p) {
  force(p.rung);
  op::NormLinear op;
  op.linear.outputs = p.K;
  op.norm.type = op.linear.type = p.type;
  const Tensor x = Tensor::zeros({1, p.side, p.side, p.C}, p.type, gpu(0));
  const Tensor weight = Tensor::zeros({p.K, 1, 1, p.C}, DType::kF32, gpu(0));
  const Tensor bias = Tensor::zeros(vector_shape(p.K), DType::kF32, gpu(0));
  const Tensor factors = Tensor::zeros(vector_shape(p.C), DType::kF32, gpu(0));
  const Tensor y = apply(op, {x, weight, bias, {}, {}, factors, factors});
  return {p.rung, x.bytes(), weight.bytes() * static_cast<std::int64_t>(size_of(p.type)) / 4,
          y.bytes(), op.linear.cost({x.shape(), weight.shape()}).flops};
}

CountedProblem run(const QuantizedLayer& layer) {
  force(layer.rung);
  op::QuantizedConv2d op;
  op.conv.kernel_h = op.conv.kernel_w = 3;
  op.conv.padding_h = op.conv.padding_w = 1;
  op.conv.outputs = layer.K;
  op.conv.activation = {ActivationKind::kLeakyRelu, 0.2f};
  op.quantizes_output = layer.quantizes_output;
  const Tensor x = Tensor::zeros({1, layer.side, layer.side, layer.C}, DType::kI8, gpu(0));
  const Tensor weight = Tensor::zeros({layer.K, 3, 3, layer.C}, DType::kF32, gpu(0));
  const Tensor bias = Tensor::zeros(vector_shape(layer.K), DType::kF32, gpu(0));
  const auto code_of = [](int channels) {
    const Tensor code = Tensor::empty(code_shape(channels));
    for (int c = 0; c < channels; ++c) set_code(code.view<float>(), c, -1, 1);
    return code.on(gpu(0));
  };
  const Tensor y = apply(op, {x, weight, bias, {}, {}, code_of(layer.C), code_of(layer.K)});
  return {layer.rung, x.bytes(), weight.bytes() / 4, y.bytes(),
          op.conv.cost({x.shape(), weight.shape()}).flops};
}

CountedProblem run(const Product& p) {
  force(p.rung);
  const bool ta = p.matmul.transpose_a, tb = p.matmul.transpose_b;
  const Tensor a = Tensor::zeros({p.batch, 1, ta ? p.inner : p.rows, ta ? p.rows : p.inner},
                                 DType::kF32, gpu(0));
  const Tensor b = Tensor::zeros({p.batch, 1, tb ? p.columns : p.inner, tb ? p.inner : p.columns},
                                 DType::kF32, gpu(0));
  const Tensor y = apply(p.matmul, {a, b});
  return {p.rung, a.bytes(), b.bytes(), y.bytes(), p.matmul.cost({a.shape(), b.shape()}).flops};
}

}  // namespace

std::vector<CountedCase> product_counts() {
  std::vector<CountedCase> counts;
  for (const Case& c : kCases) counts.push_back({c.name, [&c] { return run(c); }});
  for (const Enlarging& e : kEnlargings) counts.push_back({e.name, [&e] { return run(e); }});
  for (const TwoLayers& c : kTwoLayers) counts.push_back({c.name, [&c] { return run(c); }});
  for (const NormedProduct& p : kNormedProducts)
    counts.push_back({p.name, [&p] { return run(p); }});
  for (const QuantizedLayer& c : kQuantizedLayers)
    counts.push_back({c.name, [&c] { return run(c); }});
  for (const Product& p : kProducts) counts.push_back({p.name, [&p] { return run(p); }});
  return counts;
}

}  // namespace mend::bench
