#include "layers/dynamic_position_bias.h"

#include <vector>

namespace mend {
namespace {

/// (dy, dx) for dy from 1 − window_h to window_h − 1, dx likewise: {1,1,rows,2}.
Tensor offsets_of(int window_h, int window_w) {
  std::vector<float> pairs;
  for (int dy = 1 - window_h; dy < window_h; ++dy) {
    for (int dx = 1 - window_w; dx < window_w; ++dx) {
      pairs.push_back(static_cast<float>(dy));
      pairs.push_back(static_cast<float>(dx));
    }
  }
  return Tensor::from({1, 1, static_cast<int>(pairs.size() / 2), 2}, pairs);
}

}  // namespace

DynamicPositionBias::DynamicPositionBias(const Scope& p, int width, int heads, int rows,
                                         int columns)
    : window_h(rows),
      window_w(columns),
      pos_proj(p / "pos_proj", 2, width),
      pos1_0(p / "pos1" / 0, width),
      pos1_2(p / "pos1" / 2, width, width),
      pos2_0(p / "pos2" / 0, width),
      pos2_2(p / "pos2" / 2, width, width),
      pos3_0(p / "pos3" / 0, width),
      pos3_2(p / "pos3" / 2, width, heads) {}

Tensor DynamicPositionBias::operator()() const {
  Tensor y = pos_proj(offsets_of(window_h, window_w));
  y = pos1_2(relu(pos1_0(y)));
  y = pos2_2(relu(pos2_0(y)));
  return pos3_2(relu(pos3_0(y)));
}

}  // namespace mend
