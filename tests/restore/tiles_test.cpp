#include "restore/tiles.h"

#include <doctest/doctest.h>

#include <set>

using namespace mend;

TEST_CASE("tiles: cores cover every pixel once, windows hold core and halo and start on the grid") {
  for (const int extent : {1, 7, 63, 64, 65, 200, 517}) {
    for (const int core : {16, 64, 100}) {
      for (const int halo : {0, 5, 34}) {
        for (const int grid : {1, 4, 8}) {
          CAPTURE(extent);
          CAPTURE(core);
          CAPTURE(halo);
          CAPTURE(grid);
          std::vector<int> covered(static_cast<std::size_t>(extent), 0);
          std::set<int> widths;
          for (const Tile& tile : cut_tiles(3, extent, core, halo, grid)) {
            const Rectangle& window = tile.window;
            widths.insert(window.w);
            CHECK(window.x % grid == 0);
            CHECK(window.x >= 0);
            CHECK(window.x + window.w <= extent);
            CHECK((window.x == 0 || window.x <= tile.core.x - halo));
            CHECK((window.x + window.w == extent ||
                   window.x + window.w >= tile.core.x + tile.core.w + halo));
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
