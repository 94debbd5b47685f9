#include "layers/conv2d.h"

namespace mend {

Conv2d::Conv2d(const Scope& p, int in, int out, KernelSize kernel, const Conv2dOptions& options)
    : weight(p.kernel("weight", out, kernel.h, kernel.w, in / options.groups)),
      bias(options.bias ? p.vector("bias", out) : Tensor()) {
  const auto padding = [&](int extent) {
    return options.padding == kSamePadding ? (extent - 1) / 2 * options.dilation : options.padding;
  };
  call.kernel_h = kernel.h;
  call.kernel_w = kernel.w;
  call.stride = options.stride;
  call.padding_h = padding(kernel.h);
  call.padding_w = padding(kernel.w);
  call.dilation = options.dilation;
  call.groups = options.groups;
  call.padding_mode = options.padding_mode;
  call.outputs = out;
}

Tensor Conv2d::operator()(const Tensor& x) const { return apply(call, {x, weight, bias}); }

}  // namespace mend
