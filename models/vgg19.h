// The convolutions of VGG19 (Simonyan & Zisserman 2014, arXiv:1409.1556, table 1, E), for losses that
// compare what it sees in two pictures (Johnson et al. 2016, arXiv:1603.08155).
// Parameter names: torchvision's VGG19, `features.N`. x: RGB in [0,1], [N,H,W,3].
//
//   conv1_1 conv1_2 | max /2, conv2_1 conv2_2 | max /2, conv3_1 ... conv3_4 | ... | ... conv5_4
//   64              | 128                     | 256                         | 512 | 512 channels
//
// 3x3 each, a rectifier behind it; x is brought to ImageNet's mean and deviation before.
#pragma once

#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "weights/checkpoint.h"

namespace mend {

class Vgg19 {
 public:
  /// Whether a layer is called so: "conv3_4", what the convolution gives, or "relu3_4", the same
  /// rectified.
  static bool has_layer(const std::string& layer);

  /// The network up to the last of `layers`, which are known. What lies behind it, the classifier too, may
  /// be missing, and is not looked at. Throws CheckpointError that names what is missing or misshaped.
  Vgg19(Checkpoint checkpoint, const std::vector<std::string>& layers);

  /// The features of `layers`, in that order. Throws ShapeError if x has not 3 channels, or is too small.
  std::vector<Tensor> operator()(const Tensor& x) const;

 private:
  struct Layer {
    bool pool_before;
    Conv2d conv;
    int tap_conv, tap_relu;  // which of the features it is; kNoTap: none
  };
  static constexpr int kNoTap = -1;

  std::vector<Layer> layers_;
  std::size_t taps_;
};

}  // namespace mend
