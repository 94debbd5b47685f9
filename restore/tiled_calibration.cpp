// The codes of 8-bit integers for a network that runs in tiles: found in patches of the picture.
#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/log.h"
#include "restore/tiled_network.h"

namespace mend {
namespace {

/// Of the patches that an image is calibrated on, nine of them at most. They see enough of a photo:
/// from four, codes clip elsewhere in it (SRVGG on Kodak: 5 dB less at worst), from 16 of 64 x 64 too.
constexpr int kCalibrationSide = 96;

}  // namespace

std::vector<Rectangle> calibration_patches(int height, int width) {
  const auto starts = [](int extent) {
    constexpr int kSide = kCalibrationSide;
    const int count = extent <= kSide ? 1 : std::clamp(extent / kSide, 2, 3);
    std::vector<int> result;
    for (int i = 0; i < count; ++i) {
      const int middle = extent * (2 * i + 1) / (2 * count);
      result.push_back(std::clamp(middle - kSide / 2, 0, std::max(extent - kSide, 0)));
    }
    return result;
  };
  std::vector<Rectangle> patches;
  for (const int y : starts(height))
    for (const int x : starts(width)) {
      patches.push_back(
          {y, x, std::min(height, kCalibrationSide), std::min(width, kCalibrationSide)});
    }
  return patches;
}

void check_calibration(const Calibration& calibration) {
  if (!calibration.steps.empty()) return;
  throw UsageError(
      "--precision int8: no layer of this network can run on 8-bit integers (3x3 convolutions of "
      "stride 1 from 16 channels on can); leave it out");
}

void TiledNetwork::calibrate(int height, int width, const Source& source) {
  std::vector<std::vector<Tensor>> samples;
  for (const Rectangle& patch : calibration_patches(height, width)) {
    const Tensor x = Tensor::empty({1, patch.h, patch.w, net_.channels});
    source(patch, x);
    samples.push_back({x});
  }
  calibration_ = mend::calibrate(net_.network, samples);
  check_calibration(*calibration_);
  detail(
      fmt::format("int8: {} layers run on 8-bit integers, calibrated on {} patches of the picture",
                  calibration_->steps.size(), samples.size()));
}

}  // namespace mend
