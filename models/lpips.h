// The networks behind LPIPS (Zhang et al. 2018, arXiv:1801.03924, Fig. 3): the convolutions of AlexNet
// (Krizhevsky 2014, arXiv:1404.5997) or VGG16 (Simonyan, Zisserman 2014, arXiv:1409.1556), cut into
// five stages, and one weight a channel of each stage's output.
// Parameter names: torchvision's AlexNet or VGG16 (`features.N`) and the authors' heads
// (`lin0.model.1.weight`, ...). x: RGB in [-1,1], [N,H,W,3].
//
//             stage 0          stage 1             stage 2             stage 3       stage 4
//  AlexNet    0: 11x11 /4      max 3 /2, 3: 5x5    max 3 /2, 6         8             10
//  VGG16      0, 2             max 2 /2, 5, 7      max /2, 10, 12, 14  max /2, 17-21 max /2, 24-28
//
// The numbers are N of the convolutions, 3x3 unless said, each with a ReLU behind it.
#pragma once

#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "weights/checkpoint.h"
#include "weights/scope.h"

namespace mend {

struct LpipsStage {
  int pool = 0;  ///< side of the maximum's window, with stride 2, before the convolutions; 0: none
  std::vector<Conv2d> convs;

  Tensor operator()(const Tensor& x) const {
    Tensor y = pool > 0 ? max_pool(x, pool, 2) : x;
    for (const Conv2d& conv : convs) y = relu(conv(y));
    return y;
  }
};

struct LpipsNetwork {
  std::string trunk;  ///< "AlexNet" or "VGG16"
  int smallest = 0;   ///< pixels a side, below which a stage has no output
  std::vector<LpipsStage> stages;
  std::vector<Tensor> heads;  ///< {1,1,1,C} a stage: what a squared difference weighs

  /// x as the authors' ScalingLayer shifts and scales it: to ImageNet's statistics.
  static Tensor scaled(const Tensor& x);
};

/// Whether the checkpoint has `lin0.model.1.weight` or `features.0.weight`.
bool has_lpips_weights(const Checkpoint& checkpoint);

/// From the tensors of both files, the trunk's and the heads', in one; `classifier` is not looked at.
/// Which trunk it is shows in its first kernel, 11 x 11 or 3 x 3.
/// Throws CheckpointError that names what is missing, misshaped or left over.
LpipsNetwork load_lpips(Checkpoint checkpoint);

}  // namespace mend
