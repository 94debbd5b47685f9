#include "models/network.h"

#include <fmt/format.h>

#include <span>

#include "engine/error.h"
#include "layers/functions.h"
#include "models/srmd.h"
#include "models/task.h"

namespace mend {
namespace {

/// [N,H,W,1] of one value, beside `picture`.
Tensor map_of(float value, const Tensor& picture) {
  const Shape& shape = picture.shape();
  return Tensor::full({shape.n, shape.h, shape.w, 1}, value);
}

Tensor with_blur_and_sigma(const Tensor& picture, const Conditions& conditions) {
  std::span<const float> blur = conditions.blur;
  if (blur.empty()) blur = SRMD::kNoBlur;
  if (blur.size() != SRMD::kNoBlur.size()) {
    throw UsageError(fmt::format("the blur kernel has {} coefficients, SRMD takes {}", blur.size(),
                                 SRMD::kNoBlur.size()));
  }
  std::vector<Tensor> parts = {picture};
  for (const float coefficient : blur) parts.push_back(map_of(coefficient, picture));
  parts.push_back(map_of(conditions.sigma, picture));
  return concat(parts);
}

const Tensor& mask_for(const Tensor& picture, const Conditions& conditions) {
  const Shape& shape = picture.shape();
  const Shape wanted = {shape.n, shape.h, shape.w, 1};
  if (!conditions.mask) throw UsageError("this network fills holes: it needs a mask of them");
  if (conditions.mask.shape() != wanted) {
    throw UsageError(fmt::format("the mask is {}, but the picture is {}",
                                 to_string(conditions.mask.shape()), to_string(shape)));
  }
  return conditions.mask;
}

}  // namespace

std::string_view name_of(TilePolicy policy) {
  constexpr std::string_view kNames[] = {"exact halo", "window-aligned", "whole image"};
  return kNames[static_cast<std::size_t>(policy)];
}

Shapes input_shapes(const Model& model, int height, int width) {
  Shapes shapes = {{1, height, width, model.traits.input_channels}};
  if (model.traits.condition == Condition::kSigma) shapes.push_back({1, 1, 1, 1});
  if (model.traits.condition == Condition::kMask) shapes.push_back({1, height, width, 1});
  return shapes;
}

std::vector<Tensor> network_inputs(const Model& model, const Tensor& picture,
                                   const Conditions& conditions) {
  switch (model.traits.condition) {
    case Condition::kNone:
      break;
    case Condition::kSigma:
      return {picture, Tensor::full({picture.shape().n, 1, 1, 1}, conditions.sigma)};
    case Condition::kSigmaMap:
      return {concat({picture, map_of(conditions.sigma, picture)})};
    case Condition::kBlurAndSigmaMap:
      return {with_blur_and_sigma(picture, conditions)};
    case Condition::kQuality: {
      if (conditions.quality <= 0) break;
      const float qf = 1 - conditions.quality / 100;
      return {picture, Tensor::full({picture.shape().n, 1, 1, 1}, qf)};
    }
    case Condition::kColourHints:
      if (!conditions.colour_hints) break;
      return {picture, slice_channels(conditions.colour_hints, 0, 2),
              slice_channels(conditions.colour_hints, 2, 1)};
    case Condition::kMask:
      return {picture, mask_for(picture, conditions)};
    case Condition::kKnownMask: {
      const Tensor known = affine(mask_for(picture, conditions), -1, 1);
      return {concat({known - 0.5f, picture * known})};
    }
    case Condition::kMaskMap:
      return {with_mask(picture, mask_for(picture, conditions))};
  }
  return {picture};
}

}  // namespace mend
