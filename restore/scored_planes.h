// The scored channels of two pictures, row by row: what metrics are computed from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "restore/metrics.h"

namespace mend {

using Row = std::vector<double>;

/// Rows of the scored channels of a picture, 0..255, without its border. One row at a time, so that
/// a 96-megapixel picture needs no copy. The picture must outlive it.
class Planes {
 public:
  Planes(const Image& image, const Protocol& protocol);

  int height() const { return image_->height - 2 * border_; }
  int width() const { return image_->width - 2 * border_; }
  int count() const { return as_luma_ ? 1 : image_->colour_channels(); }

  void read(int plane, int y, Row& row);

 private:
  const Image* image_;
  int border_;
  bool as_luma_;
  std::vector<std::uint8_t> bytes_;
};

struct PlanePair {
  Planes test, reference;

  int height() const { return test.height(); }
  int width() const { return test.width(); }
  int planes() const { return test.count(); }
};

/// Throws ShapeError in the name of `metric` unless both have one size and at least `least_side`
/// pixels a side are left inside the border.
void require_same_size(const Image& test, const Image& reference, int border,
                       std::string_view metric, int least_side);

/// The two pictures, once it is sure that they can be compared: require_same_size, and as many
/// planes in both.
PlanePair scored_planes(const Image& test, const Image& reference, const Protocol& protocol,
                        std::string_view metric, int least_side);

/// "<metric>, RGB, 8 bit, border 4<unit>"
std::string describe_protocol(std::string_view metric, const Protocol& protocol, int planes,
                              std::string_view unit = "");

}  // namespace mend
