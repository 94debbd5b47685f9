#include "models/migan.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "kernels/conv2d/gradient.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"

namespace mend {
namespace {

constexpr int kTaps = 4;

/// Turned by 180°. Zeros between the pixels and then a convolution, as the authors enlarge, is a
/// transposed convolution with the turned kernel.
Tensor turned(const Tensor& filter) {
  return apply(op::TurnConv2dWeight{.groups = filter.shape().n}, {filter}).named(filter.name());
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const auto width = [&](int size) {
    return extent(checkpoint, fmt::format("encoder.b{}.conv1.conv1.weight", size), 0);
  };
  int resolution = 4;
  while (resolution < 4096 && width(2 * resolution) > 0) resolution *= 2;
  const bool begins = has(checkpoint, fmt::format("encoder.b{}.fromrgb.weight", resolution));
  if (width(4) == 0 || resolution == 4 || !begins ||
      !has(checkpoint, "synthesis.b4.torgb.weight")) {
    return std::nullopt;
  }
  return Recognised{
      .fixed = {{"resolution", resolution}},
      // Several of them give the same widths.
      .defaults = {{"ch_base", width(resolution) * resolution}, {"ch_max", width(4)}}};
}

Built make(const Scope& p, const Json& hyper) {
  MiGan::Hyper h;
  h.resolution = integer(hyper, "resolution", 8, 4096);
  h.ch_base = integer(hyper, "ch_base", h.resolution, 1 << 24);
  h.ch_max = integer(hyper, "ch_max", 1, 4096);
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"inpaint"};
  traits.condition = Condition::kKnownMask;
  traits.input_channels = 4;
  traits.smallest = traits.working_size = h.resolution;
  traits.black = -1;
  traits.tiles_change = "the network takes pictures of one size";
  const auto net = std::make_shared<const MiGan>(p, h);
  return {traits, [net](const std::vector<Tensor>& inputs) {
            const Shape& shape = inputs[0].shape();
            if (shape.h != net->resolution || shape.w != net->resolution) {
              throw ShapeError(fmt::format("MI-GAN: input is {}, but this one takes {} x {} pixels",
                                           to_string(shape), net->resolution, net->resolution));
            }
            return std::vector<Tensor>{(*net)(inputs[0])};
          }};
}

}  // namespace

MiganResample::MiganResample(const Scope& p, int channels, bool is_upsample)
    : filter(p.kernel("filter.weight", channels, kTaps, kTaps, 1)), enlarges(is_upsample) {
  if (enlarges) filter = turned(filter);
  // Where the zeros go: the same in every checkpoint.
  p.ignore("filter_const");
  p.ignore("insert_zeros");
}

Tensor MiganResample::operator()(const Tensor& x) const {
  const int channels = x.shape().c;
  if (enlarges) {
    return apply(op::ConvTranspose2d{.stride = 2, .padding = 1, .groups = channels}, {x, filter});
  }
  return apply(op::Conv2d{.kernel_h = kTaps,
                          .kernel_w = kTaps,
                          .stride = 2,
                          .padding_h = 1,
                          .padding_w = 1,
                          .groups = channels,
                          .outputs = channels},
               {x, filter});
}

MiganConv::MiganConv(const Scope& p, int in, int out, const Options& options)
    : conv1(p / "conv1", in, in, 3, {.groups = in}),
      conv2(p / "conv2", in, out, 1, {.bias = false}) {
  if (options.halves) downsample.emplace(p / "downsample", in, false);
  if (options.doubles) upsample.emplace(p / "upsample", out, true);
  if (options.noise == 0) return;
  const int size = options.noise;
  noise_const = p.dense("noise_const", {size, size}, {1, size, size, 1});
  noise_strength = p.vector("noise_strength", 1);
}

Architecture migan() {
  return {.name = "migan",
          .title = "MI-GAN",
          .paper =
              "Sargsyan et al. 2023, ICCV, MI-GAN: A Simple Baseline for Image Inpainting on "
              "Mobile Devices",
          .signature = "encoder.b4.conv1.conv1.weight, synthesis.b4.torgb.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
