#include "models/vgg19.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/error.h"
#include "layers/functions.h"
#include "weights/scope.h"

namespace mend {
namespace {

/// One of torchvision's `features`: a convolution, its rectifier behind it.
struct ConvAt {
  int index;
  std::string name;  ///< "1_1", behind conv or relu
  int out;
  bool pool_before;
};

std::vector<ConvAt> convolutions() {
  constexpr int kCounts[] = {2, 2, 4, 4, 4}, kWidths[] = {64, 128, 256, 512, 512};
  std::vector<ConvAt> convs;
  int index = 0;
  for (int block = 0; block < 5; ++block) {
    for (int i = 0; i < kCounts[block]; ++i) {
      convs.push_back(
          {index, fmt::format("{}_{}", block + 1, i + 1), kWidths[block], i == 0 && block > 0});
      index += 2;
    }
    ++index;  // the maximum behind the block
  }
  return convs;
}

/// x brought to the mean and deviation of ImageNet's pictures, as torchvision's models want it.
Tensor normalised(const Tensor& x) {
  const Tensor mean = Tensor::from({1, 1, 1, 3}, std::vector<float>{0.485f, 0.456f, 0.406f});
  const Tensor deviation = Tensor::from({1, 1, 1, 3}, std::vector<float>{0.229f, 0.224f, 0.225f});
  return (x - mean) / deviation;
}

int place_of(const std::string& layer, const std::vector<std::string>& layers) {
  const auto found = std::find(layers.begin(), layers.end(), layer);
  return found == layers.end() ? -1 : static_cast<int>(found - layers.begin());
}

}  // namespace

bool Vgg19::has_layer(const std::string& layer) {
  const std::vector<ConvAt> convs = convolutions();
  return std::any_of(convs.begin(), convs.end(), [&](const ConvAt& at) {
    return layer == "conv" + at.name || layer == "relu" + at.name;
  });
}

Vgg19::Vgg19(Checkpoint checkpoint, const std::vector<std::string>& layers) : taps_(layers.size()) {
  const auto store = std::make_shared<ParameterStore>(std::move(checkpoint), "torchvision's VGG19");
  store->ignore("classifier");
  const Scope features = Scope(store) / "features";
  std::size_t found = 0;
  int in = 3;
  for (const ConvAt& at : convolutions()) {
    if (found == taps_) {
      features.ignore(std::to_string(at.index));
      continue;
    }
    const int conv = place_of("conv" + at.name, layers), relu = place_of("relu" + at.name, layers);
    found += (conv == kNoTap ? 0 : 1) + (relu == kNoTap ? 0 : 1);
    layers_.push_back({at.pool_before, Conv2d(features / at.index, in, at.out), conv, relu});
    in = at.out;
  }
  store->finish();
}

std::vector<Tensor> Vgg19::operator()(const Tensor& x) const {
  if (x.shape().c != 3) {
    throw ShapeError(
        fmt::format("VGG19: looks at RGB, but the picture is {}", to_string(x.shape())));
  }
  std::vector<Tensor> taps(taps_);
  Tensor y = normalised(x);
  for (const Layer& layer : layers_) {
    if (layer.pool_before) y = max_pool(y, 2, 2);
    y = layer.conv(y);
    if (layer.tap_conv != kNoTap) taps[layer.tap_conv] = y;
    y = relu(y);
    if (layer.tap_relu != kNoTap) taps[layer.tap_relu] = y;
  }
  return taps;
}

}  // namespace mend
