#include "restore/tiles.h"

#include <algorithm>

namespace mend {
namespace {

struct Span {
  int begin = 0, end = 0;
};

int round_down(int value, int grid) { return value / grid * grid; }
int round_up(int value, int grid) { return (value + grid - 1) / grid * grid; }

/// The window along one axis of the core that starts at `core_begin`. All windows are equally
/// long, so that one plan serves them all; the last may be longer by less than one grid step.
Span window_of(int core_begin, int extent, int core, int halo, int grid) {
  const int length = round_up(core + 2 * halo, grid) + (halo % grid == 0 ? 0 : grid);
  if (length >= extent) return {0, extent};
  const int wanted = round_down(std::max(0, core_begin - halo), grid);
  const int last = round_down(extent - length, grid);
  const int begin = std::min(wanted, last);
  return {begin, begin == last ? extent : begin + length};
}

}  // namespace

std::vector<Tile> cut_tiles(int height, int width, int core, int halo, int grid) {
  core = std::max(grid, round_down(core, grid));
  std::vector<Tile> tiles;
  for (int y = 0; y < height; y += core) {
    const Span rows = window_of(y, height, core, halo, grid);
    for (int x = 0; x < width; x += core) {
      const Span columns = window_of(x, width, core, halo, grid);
      tiles.push_back(
          {{rows.begin, columns.begin, rows.end - rows.begin, columns.end - columns.begin},
           {y, x, std::min(core, height - y), std::min(core, width - x)}});
    }
  }
  return tiles;
}

Rectangle largest_window(int height, int width, int core, int halo, int grid) {
  Rectangle largest;
  for (const Tile& tile : cut_tiles(height, width, core, halo, grid)) {
    largest.h = std::max(largest.h, tile.window.h);
    largest.w = std::max(largest.w, tile.window.w);
  }
  return largest;
}

}  // namespace mend
