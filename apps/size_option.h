// --size WIDTHxHEIGHT, and a network's inputs for a picture of that size.
#pragma once

#include <string>
#include <utility>

#include "engine/shape.h"
#include "models/network.h"

namespace mend {

struct PictureSize {
  int width = 0, height = 0;
};

/// "1920x1080"; throws UsageError.
PictureSize parse_size(const std::string& text);

/// What the network sees of a picture of that size: networks of one size have it resized.
PictureSize seen_size(const Model& model, PictureSize size);

/// The shapes of all inputs of `model` for one picture.
Shapes input_shapes(const Model& model, PictureSize size);

}  // namespace mend
