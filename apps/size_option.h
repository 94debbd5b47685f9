// --size WIDTHxHEIGHT, and what a network sees of such a picture.
#pragma once

#include <string>

#include "models/network.h"

namespace mend {

struct PictureSize {
  int width = 0, height = 0;
};

/// "1920x1080"; throws UsageError.
PictureSize parse_size(const std::string& text);

/// "1920x1080"
std::string to_string(PictureSize size);

/// --size of one network; empty: the size that its authors run it on, else 256x256.
PictureSize size_for(const Model& model, const std::string& text);

/// What the network sees of a picture of that size: networks of one size have it resized.
PictureSize seen_size(const Model& model, PictureSize size);

}  // namespace mend
