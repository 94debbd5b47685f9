#include "layers/conv_transpose2d.h"

namespace mend {

ConvTranspose2d::ConvTranspose2d(const Scope& p, int in, int out, int kernel,
                                 const ConvTranspose2dOptions& options)
    : weight(
          p.transposed_kernel("weight", out, kernel, kernel, in / options.groups, options.groups)),
      bias(options.bias ? p.vector("bias", out) : Tensor()) {
  call.stride = options.stride;
  call.padding = options.padding;
  call.output_padding = options.output_padding;
  call.groups = options.groups;
}

Tensor ConvTranspose2d::operator()(const Tensor& x) const { return apply(call, {x, weight, bias}); }

}  // namespace mend
