// How the user says where a picture's holes are.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "restore/image.h"

namespace mend {

/// The options --mask, --mask-rect, --mask-invert and --grow.
struct HoleOptions {
  std::string mask;  ///< a picture, or a folder of pictures with the inputs' names
  std::vector<std::string> rectangles;  ///< "X,Y,WIDTH,HEIGHT"
  bool invert = false;
  int grow = 0;

  void add_to(CLI::App& command);
  /// Before any work: throws UsageError for what makes no sense, whatever the picture.
  void check() const;
  /// The mask (restore/mask.h) of this input: what the options say, else what is transparent. Throws
  /// InputError if nothing says where holes are, or a mask file cannot be used.
  Image mask_of(const std::string& input, const Image& image) const;
};

}  // namespace mend
