#include "restore/jpeg_quality.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace mend {
namespace {

// ITU-T T.81 (1992), table K.1: quantisation of luma.
// clang-format off
constexpr int kBase[64] = {
    16, 11, 10, 16,  24,  40,  51,  61,
    12, 12, 14, 19,  26,  58,  60,  55,
    14, 13, 16, 24,  40,  57,  69,  56,
    14, 17, 22, 29,  51,  87,  80,  62,
    18, 22, 37, 56,  68, 109, 103,  77,
    24, 35, 55, 64,  81, 104, 113,  92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103,  99,
};
// clang-format on

int step(int base, int quality) {
  const int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return std::clamp((base * scale + 50) / 100, 1, 255);
}

}  // namespace

int ijg_quality(std::span<const std::uint16_t, 64> table) {
  int best = 1;
  long least = std::numeric_limits<long>::max();
  for (int quality = 1; quality <= 100; ++quality) {
    long difference = 0;
    for (std::size_t k = 0; k < table.size(); ++k) {
      difference += std::abs(step(kBase[k], quality) - table[k]);
    }
    if (difference < least) {
      least = difference;
      best = quality;
    }
  }
  return best;
}

}  // namespace mend
