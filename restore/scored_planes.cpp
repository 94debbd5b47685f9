#include "restore/scored_planes.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"

namespace mend {

Planes::Planes(const Image& image, const Protocol& protocol)
    : image_(&image),
      border_(protocol.border),
      as_luma_(protocol.colours == ScoredColours::kY && image.colour_channels() == 3),
      bytes_(static_cast<std::size_t>(image.width) * image.channels) {}

void Planes::read(int plane, int y, Row& row) {
  copy_row(*image_, y + border_, 8, bytes_.data());
  const std::uint8_t* pixel = bytes_.data() + static_cast<std::size_t>(border_) * image_->channels;
  row.resize(static_cast<std::size_t>(width()));
  for (double& value : row) {
    value = as_luma_ ? 16 + (65.481 * pixel[0] + 128.553 * pixel[1] + 24.966 * pixel[2]) / 255
                     : static_cast<double>(pixel[plane]);
    pixel += image_->channels;
  }
}

void require_same_size(const Image& test, const Image& reference, int border,
                       std::string_view metric, int least_side) {
  if (test.width != reference.width || test.height != reference.height) {
    throw ShapeError(fmt::format("{}: one picture is {} x {}, the other {} x {}", metric,
                                 test.width, test.height, reference.width, reference.height));
  }
  if (border < 0 || std::min(test.height, test.width) - 2 * border < least_side) {
    throw ShapeError(
        fmt::format("{}: a picture of {} x {} with a border of {} leaves fewer than {} x {} "
                    "pixels",
                    metric, test.width, test.height, border, least_side, least_side));
  }
}

PlanePair scored_planes(const Image& test, const Image& reference, const Protocol& protocol,
                        std::string_view metric, int least_side) {
  require_same_size(test, reference, protocol.border, metric, least_side);
  PlanePair pair{{test, protocol}, {reference, protocol}};
  if (pair.test.count() != pair.reference.count()) {
    throw ShapeError(fmt::format("{}: one picture has {} channels, the other {}", metric,
                                 pair.test.count(), pair.reference.count()));
  }
  return pair;
}

std::string describe_protocol(std::string_view metric, const Protocol& protocol, int planes,
                              std::string_view unit) {
  const std::string_view colours = protocol.colours == ScoredColours::kY ? "Y (BT.601 limited)"
                                   : planes == 1                         ? "gray"
                                                                         : "RGB";
  return fmt::format("{}, {}, 8 bit, border {}{}", metric, colours, protocol.border, unit);
}

}  // namespace mend
