// Batch normalisation as it is used after training: with the statistics in the checkpoint.
#pragma once

#include "weights/scope.h"

namespace mend {

/// y = (x − mean) / √(variance + epsilon) · weight + bias, channel by channel
/// (Ioffe & Szegedy 2015, arXiv:1502.03167). Equals torch.nn.BatchNorm2d in eval mode.
/// x [N,H,W,channels] -> y like x
struct BatchNorm2d {
  BatchNorm2d(const Scope& p, int channels, float epsilon = 1e-5f);

  Tensor operator()(const Tensor& x) const;

  Tensor weight, bias, running_mean, running_var;  // {1,1,1,channels}
  Tensor inverse_deviation;                        // 1 / √(running_var + epsilon)
};

}  // namespace mend
