// Pictures that tests/restore/metrics_expected.py makes by the same integer formulas, so that numbers
// of published tools can be compared: waves with noise, and the same with more noise.
#pragma once

#include <algorithm>
#include <cstdint>

#include "restore/image.h"

namespace mend::test {

inline std::uint32_t hashed(int x, int y, int c, std::uint32_t seed) {
  std::uint32_t h = static_cast<std::uint32_t>(x) * 374761393u +
                    static_cast<std::uint32_t>(y) * 668265263u +
                    static_cast<std::uint32_t>(c) * 2246822519u + seed * 3266489917u;
  h = (h ^ (h >> 13)) * 1274126177u;
  return h ^ (h >> 16);
}

struct MetricPictures {
  Image test, reference;

  MetricPictures(int width, int height, int channels)
      : test(make_image(width, height, channels, 8)), reference(test) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < channels; ++c) {
          const int t = (x * (3 + c) + 2 * y + ((x * y) >> 5)) & 255;
          const int wave = t < 128 ? 2 * t : 510 - 2 * t;
          const int value = (3 * wave + static_cast<int>(hashed(x, y, c, 1) & 255)) / 4;
          const int noise = static_cast<int>(hashed(x, y, c, 2) % 33) - 16;
          reference.row(y)[x * channels + c] = static_cast<std::uint8_t>(value);
          test.row(y)[x * channels + c] =
              static_cast<std::uint8_t>(std::clamp(value + noise, 0, 255));
        }
      }
    }
  }
};

}  // namespace mend::test
