#include "restore/tiles.h"

#include <algorithm>

namespace mend {
namespace {

struct Span {
  int begin = 0, end = 0;
  int length() const { return end - begin; }
};

int round_down(int value, int grid) { return value / grid * grid; }
int round_up(int value, int grid) { return (value + grid - 1) / grid * grid; }

/// The windows' length but for the last, which may be longer by less than one grid step.
int window_length(int core, int halo, int grid) {
  return round_up(core + 2 * halo, grid) + (halo % grid == 0 ? 0 : grid);
}

/// The window along one axis of the core that starts at `core_begin`. All windows are equally
/// long, so that one plan serves them all.
Span window_of(int core_begin, int extent, int core, int halo, int grid) {
  const int length = window_length(core, halo, grid);
  if (length >= extent) return {0, extent};
  const int wanted = round_down(std::max(0, core_begin - halo), grid);
  const int last = round_down(extent - length, grid);
  const int begin = std::min(wanted, last);
  return {begin, begin == last ? extent : begin + length};
}

/// A tile along one axis.
struct AxisTile {
  Span window, core, kept, clear;
};

std::vector<AxisTile> cut_axis(int extent, int core, int halo, int grid, int blend) {
  core = std::max(grid, round_down(core, grid));
  std::vector<int> begins;
  for (int begin = 0; begin < extent; begin += core) begins.push_back(begin);
  if (begins.size() > 1 && extent - begins.back() < 2 * blend) {
    // Too narrow for its ramp. No core becomes longer, so the windows stay as long as they are.
    begins.back() = std::max({round_down(extent - 2 * blend, grid), round_up(extent - core, grid),
                              begins[begins.size() - 2] + grid});
  }
  std::vector<AxisTile> tiles;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const Span own = {begins[i], i + 1 < begins.size() ? begins[i + 1] : extent};
    tiles.push_back({window_of(own.begin, extent, core, halo, grid), own, own, own});
  }
  for (std::size_t i = 1; i < tiles.size(); ++i) {
    AxisTile &left = tiles[i - 1], &right = tiles[i];
    // Half of each core at most, so that a pixel is blended at one border only.
    const int ramp = std::min({blend, left.core.length() / 2, right.core.length() / 2});
    left.kept.end += ramp;
    left.clear.end -= ramp;
    right.kept.begin -= ramp;
    right.clear.begin += ramp;
  }
  return tiles;
}

int longest_window(const std::vector<AxisTile>& tiles) {
  int longest = 0;
  for (const AxisTile& tile : tiles) longest = std::max(longest, tile.window.length());
  return longest;
}

Rectangle rectangle(const Span& rows, const Span& columns) {
  return {rows.begin, columns.begin, rows.length(), columns.length()};
}

}  // namespace

std::vector<Tile> cut_tiles(int height, int width, const Cut& cut) {
  std::vector<Tile> tiles;
  const auto columns = cut_axis(width, cut.core_w, cut.halo, cut.grid, cut.blend);
  for (const AxisTile& row : cut_axis(height, cut.core_h, cut.halo, cut.grid, cut.blend)) {
    for (const AxisTile& column : columns) {
      tiles.push_back({rectangle(row.window, column.window), rectangle(row.core, column.core),
                       rectangle(row.kept, column.kept), rectangle(row.clear, column.clear)});
    }
  }
  return tiles;
}

Rectangle largest_window(int height, int width, const Cut& cut) {
  return {0, 0, longest_window(cut_axis(height, cut.core_h, cut.halo, cut.grid, 0)),
          longest_window(cut_axis(width, cut.core_w, cut.halo, cut.grid, 0))};
}

std::vector<AxisCut> even_cuts(int extent, int smallest, int halo, int grid) {
  std::vector<AxisCut> cuts;
  for (int wanted = 1; wanted == 1 || extent / wanted >= smallest; ++wanted) {
    const int core = round_up((extent + wanted - 1) / wanted, grid);
    if (!cuts.empty() && cuts.back().core == core) continue;
    const std::vector<AxisTile> tiles = cut_axis(extent, core, halo, grid, 0);
    cuts.push_back({static_cast<int>(tiles.size()), core, longest_window(tiles)});
  }
  return cuts;
}

}  // namespace mend
