// Transposed convolution with its parameters.
#pragma once

#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "weights/scope.h"

namespace mend {

struct ConvTranspose2dOptions {
  int stride = 1;
  int padding = 0;
  int output_padding = 0;
  int groups = 1;
  bool bias = true;
};

/// torch.nn.ConvTranspose2d: `weight` [in, out/groups, kernel, kernel] and `bias` [out].
/// x [N,H,W,in] -> [N, (H − 1)·stride − 2·padding + kernel + output_padding, ..., out].
struct ConvTranspose2d {
  ConvTranspose2d(const Scope& p, int in, int out, int kernel,
                  const ConvTranspose2dOptions& options = {});

  Tensor operator()(const Tensor& x) const;

  Tensor weight;  // {out, kernel, kernel, in/groups}
  Tensor bias;    // {1,1,1,out} or absent
  op::ConvTranspose2d call;
};

}  // namespace mend
