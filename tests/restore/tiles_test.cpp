#include "restore/tiles.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace mend;

namespace {

/// Columns [inner) lie in columns [outer).
bool inside(const Rectangle& inner, const Rectangle& outer) {
  return inner.x >= outer.x && inner.x + inner.w <= outer.x + outer.w;
}

}  // namespace

TEST_CASE("tiles: cores cover every pixel once, windows hold core and halo and start on the grid") {
  for (const int extent : {1, 7, 63, 64, 65, 200, 517}) {
    for (const int core : {16, 64, 100}) {
      for (const int halo : {0, 5, 34}) {
        for (const int grid : {1, 4, 8}) {
          for (const int blend : {0, std::min(halo, 16)}) {
            CAPTURE(extent);
            CAPTURE(core);
            CAPTURE(halo);
            CAPTURE(grid);
            CAPTURE(blend);
            std::vector<int> covered(static_cast<std::size_t>(extent), 0);
            std::set<int> widths;
            const Cut cut = {core, core, halo, grid, blend};
            for (const Tile& tile : cut_tiles(3, extent, cut)) {
              const Rectangle& window = tile.window;
              widths.insert(window.w);
              CHECK(window.x % grid == 0);
              CHECK(window.x >= 0);
              CHECK(window.x + window.w <= extent);
              CHECK((window.x == 0 || window.x <= tile.core.x - halo));
              CHECK((window.x + window.w == extent ||
                     window.x + window.w >= tile.core.x + tile.core.w + halo));
              CHECK(window.w <= largest_window(3, extent, cut).w);
              CHECK(inside(tile.clear, tile.core));
              CHECK(inside(tile.core, tile.kept));
              CHECK(inside(tile.kept, window));
              if (tile.core.y > 0) continue;
              for (int x = tile.core.x; x < tile.core.x + tile.core.w; ++x) ++covered[x];
            }
            for (const int times : covered) CHECK(times == 1);
            CHECK(widths.size() <= 2);
          }
        }
      }
    }
  }
}

TEST_CASE("tiles: neighbours keep as much of each other, and the image ends where they do") {
  for (const int width : {65, 129, 200, 517}) {
    CAPTURE(width);
    const std::vector<Tile> tiles = cut_tiles(3, width, {64, 64, 20, 4, 10});
    CHECK(tiles.front().kept.x == 0);
    CHECK(tiles.front().clear.x == 0);
    for (std::size_t i = 1; i < tiles.size(); ++i) {
      const Tile &left = tiles[i - 1], &right = tiles[i];
      CHECK(left.kept.x + left.kept.w == right.clear.x);
      CHECK(left.clear.x + left.clear.w == right.kept.x);
      CHECK(right.core.x - right.kept.x == 10);  // the last core too is wide enough for its ramp
    }
    CHECK(tiles.back().kept.x + tiles.back().kept.w == width);
    CHECK(tiles.back().clear.x + tiles.back().clear.w == width);
  }
}

TEST_CASE("tiles: even cuts are those that cut_tiles makes") {
  for (const int extent : {40, 100, 1080, 1919}) {
    for (const int grid : {1, 8, 16}) {
      CAPTURE(extent);
      CAPTURE(grid);
      const std::vector<AxisCut> cuts = even_cuts(extent, 32, 48, grid);
      CHECK(cuts.front().count == 1);
      CHECK(cuts.back().core < 64 + grid);
      for (const AxisCut& axis : cuts) {
        CAPTURE(axis.count);
        const Cut cut = {8, axis.core, 48, grid, 12};
        CHECK(static_cast<int>(cut_tiles(8, extent, cut).size()) == axis.count);
        CHECK(largest_window(8, extent, cut).w == axis.window);
      }
    }
  }
}
