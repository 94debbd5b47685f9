#include "models/dysample.h"

#include <vector>

#include "kernels/grid_sample/grid_sample.h"
#include "layers/functions.h"

namespace mend {
namespace {

/// Of each pixel of x its centre (column + 1/2, row + 1/2): {1,h,w,2·count}, all columns first.
Tensor centres(int h, int w, int count) {
  const Tensor y = Tensor::empty({1, h, w, 2 * count});
  const View<float> to = y.view<float>();
  for (int row = 0; row < h; ++row)
    for (int column = 0; column < w; ++column)
      for (int c = 0; c < count; ++c) {
        to(0, row, column, c) = static_cast<float>(column) + 0.5f;
        to(0, row, column, count + c) = static_cast<float>(row) + 0.5f;
      }
  return y;
}

}  // namespace

DySample::DySample(const Scope& p, int channels, int out, int upscale, int group_count)
    : scale(upscale),
      groups(group_count),
      offset(p / "offset", channels, 2 * groups * scale * scale, 1),
      look_scope(p / "scope", channels, 2 * groups * scale * scale, 1, {.bias = false}),
      init_pos(p.dense("init_pos", {1, 2 * groups * scale * scale, 1, 1},
                       vector_shape(2 * groups * scale * scale))) {
  if (scale > 1) end_conv.emplace(p / "end_conv", channels, out, 1);
}

Tensor DySample::operator()(const Tensor& x) const {
  const auto [n, h, w, channels] = x.shape();
  const int count = groups * scale * scale, part = channels / groups;
  const Tensor places = offset(x) * sigmoid(look_scope(x)) * 0.5f + init_pos + centres(h, w, count);
  // -1 and 1 are the picture's edges.
  const Tensor across = affine(slice_channels(places, 0, count), 2.0f / static_cast<float>(w), -1);
  const Tensor down =
      affine(slice_channels(places, count, count), 2.0f / static_cast<float>(h), -1);
  const Tensor columns = pixel_shuffle(across, scale), rows = pixel_shuffle(down, scale);
  std::vector<Tensor> read;
  for (int g = 0; g < groups; ++g) {
    const Tensor grid = concat({slice_channels(columns, g, 1), slice_channels(rows, g, 1)});
    read.push_back(apply(op::GridSample{.padding = SamplePadding::kBorder},
                         {slice_channels(x, g * part, part), grid}));
  }
  const Tensor y = concat(read);
  return end_conv ? (*end_conv)(y) : y;
}

}  // namespace mend
