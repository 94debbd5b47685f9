// The truth: plain loops over dequantized pixels, double sums.
#include "engine/parallel.h"
#include "engine/quantization.h"
#include "kernels/activation/activation.h"
#include "kernels/quantized_conv2d/variant.h"

namespace mend {
namespace {

double sum_at(const QuantizedConv2dCall& call, int n, int p, int q, int k) {
  const op::Conv2d& conv = call.op.conv;
  const Quantization code = quantization(call.code_x);
  const int per_group = call.weight.shape.c;
  const int first = k / (conv.outputs / conv.groups) * per_group;
  double sum = call.bias ? double{call.bias.data[k]} : 0.0;
  for (int r = 0; r < conv.kernel_h; ++r) {
    const int h = source_index(p * conv.stride + r * conv.dilation - conv.padding_h, call.x.shape.h,
                               conv.padding_mode);
    for (int s = 0; s < conv.kernel_w && h >= 0; ++s) {
      const int w = source_index(q * conv.stride + s * conv.dilation - conv.padding_w,
                                 call.x.shape.w, conv.padding_mode);
      for (int c = 0; c < per_group && w >= 0; ++c) {
        const int channel = first + c;
        const double x =
            double{code.scale[channel]} * (call.x(n, h, w, channel) - double{code.zero[channel]});
        sum += x * double{call.weight(k, r, s, c)};
      }
    }
  }
  return sum;
}

}  // namespace

void quantized_conv2d_reference(const QuantizedConv2dCall& call) {
  const op::Conv2d& conv = call.op.conv;
  const Shape y = call.y_shape();
  parallel_for(std::int64_t{y.n} * y.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / y.h), p = static_cast<int>(row % y.h);
    for (int q = 0; q < y.w; ++q) {
      for (int k = 0; k < y.c; ++k) {
        const double slope =
            call.slope ? double{call.slope.data[call.slope.shape.c == 1 ? 0 : k]} : 0.0;
        const double value = activate(conv.activation, sum_at(call, n, p, q, k), slope);
        const double residual = call.residual ? double{call.residual(n, p, q, k)} : 0.0;
        const float result = static_cast<float>(conv.scale * value + residual);
        if (call.y_f32) {
          call.y_f32(n, p, q, k) = result;
        } else {
          const Quantization code = quantization(call.code_y);
          call.y_i8(n, p, q, k) = quantize(result, 1.0f / code.scale[k], code.zero[k]);
        }
      }
    }
  });
}

}  // namespace mend
