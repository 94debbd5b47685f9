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

/// The shapes of all inputs of `model` for one picture.
Shapes input_shapes(const Model& model, PictureSize size);

}  // namespace mend
