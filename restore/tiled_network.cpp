#include "restore/tiled_network.h"

#include <fmt/format.h>

#include <cmath>
#include <new>

#include "engine/cancel.h"
#include "engine/diagnose.h"
#include "engine/error.h"
#include "engine/log.h"

namespace mend {
namespace {

constexpr int kSmallestCore = 32;
/// Cores that kAuto tries. Beyond 1024 a tile only takes memory: the halo is a few percent by then.
constexpr int kCores[] = {1024, 768, 512, 384, 256, 192, 128, 96, 64, kSmallestCore};

int round_up(int value, int grid) { return (value + grid - 1) / grid * grid; }

double megabytes(std::int64_t bytes) { return static_cast<double>(bytes) / 1e6; }

Rectangle scaled(const Rectangle& r, double scale) {
  const auto at = [scale](int v) { return static_cast<int>(std::lround(v * scale)); };
  return {at(r.y), at(r.x), at(r.y + r.h) - at(r.y), at(r.x + r.w) - at(r.x)};
}

}  // namespace

TiledNetwork::TiledNetwork(Network network, int channels, int overlap)
    : network_(std::move(network)), channels_(channels), overlap_(overlap) {}

Plan& TiledNetwork::plan_for(int height, int width) {
  std::unique_ptr<Plan>& plan = plans_[{height, width}];
  if (plan == nullptr) {
    plan = std::make_unique<Plan>(network_, Shapes{{1, height, width, channels_}}, constants_);
  }
  return *plan;
}

Tiling TiledNetwork::measured(Tiling tiling, int height, int width) {
  const Rectangle window =
      tiling.whole() ? Rectangle{0, 0, height, width}
                     : largest_window(height, width, tiling.core, tiling.halo, tiling.grid);
  const Plan plan(network_, {{1, window.h, window.w, channels_}}, constants_);
  tiling.arena_bytes = plan.arena_bytes();
  tiling.constant_bytes = plan.constant_bytes();
  return tiling;
}

Tiling TiledNetwork::choose(int height, int width, const TileOptions& options) {
  const Plan plan(network_, {{1, height, width, channels_}}, constants_);
  const bool same_bits = options.exact || options.mode == TileOptions::Mode::kFixed;
  const Footprint footprint = same_bits ? plan.executed_footprint() : plan.footprint();
  Tiling tiling;
  tiling.footprint = footprint;
  tiling.grid = plan.executed_footprint().grid;
  if (options.mode == TileOptions::Mode::kOff) return measured(tiling, height, width);
  const Tiling whole = measured(tiling, height, width);
  if (options.mode == TileOptions::Mode::kAuto &&
      whole.arena_bytes + whole.constant_bytes <= options.memory_bytes) {
    return whole;
  }

  const int radius = static_cast<int>(std::ceil(footprint.radius));
  const bool narrower = overlap_ > 0 && overlap_ < radius && !options.exact;
  tiling.halo = narrower ? overlap_ : radius;
  tiling.exact = !narrower && !footprint.global;
  if (options.mode == TileOptions::Mode::kFixed) {
    tiling.core = round_up(std::max(options.size, 1), tiling.grid);
    return measured(tiling, height, width);
  }
  for (const int core : kCores) {
    tiling.core = round_up(core, tiling.grid);
    tiling = measured(tiling, height, width);
    if (tiling.arena_bytes + tiling.constant_bytes <= options.memory_bytes) return tiling;
  }
  throw OutOfMemory(fmt::format(
      "a tile of {} pixels with a halo of {} takes {:.0f} MB, and --memory allows {:.0f} MB; raise "
      "it{}",
      tiling.core, tiling.halo, megabytes(tiling.arena_bytes + tiling.constant_bytes),
      megabytes(options.memory_bytes), options.exact ? " or leave out --tile-exact" : ""));
}

Tensor TiledNetwork::compute(const Rectangle& window, const TileOptions& options,
                             const Source& source,
                             const std::function<void(int done, int all)>& progress) {
  Tensor y;
  if (options.eager) {
    const Tensor x = Tensor::empty({1, window.h, window.w, channels_});
    source(window, x);
    y = network_({x}).front();
    progress(1, 1);
  } else {
    Plan& plan = plan_for(window.h, window.w);
    source(window, plan.input(0));
    plan.run(progress);
    y = plan.output(0);
  }
  if (!all_finite(y)) refuse_numbers(window, source);
  return y;
}

void TiledNetwork::refuse_numbers(const Rectangle& window, const Source& source) {
  const Tensor x = Tensor::empty({1, window.h, window.w, channels_});
  source(window, x);  // again: a plan may have used its input's memory for something else
  throw NumericError(fmt::format(
      "the network gave NaN or infinity at {}, in the tile of rows {}..{} and columns {}..{}; "
      "check the weights. Nothing was written",
      first_not_finite(plan_for(window.h, window.w).traced(), {x}), window.y,
      window.y + window.h - 1, window.x, window.x + window.w - 1));
}

Tiling TiledNetwork::run(int height, int width, const TileOptions& options, const Source& source,
                         const Sink& sink) {
  Tiling tiling = choose(height, width, options);
  const double scale = tiling.footprint.scale;
  if (tiling.footprint.global && !tiling.whole()) {
    warn(
        "this network looks at the whole image at once, so tiles change its result; --tile off "
        "and a larger --memory avoid that");
  }
  for (;;) {
    const int core = tiling.whole() ? round_up(std::max(height, width), tiling.grid) : tiling.core;
    const std::vector<Tile> tiles = cut_tiles(height, width, core, tiling.halo, tiling.grid);
    detail(
        tiling.whole()
            ? fmt::format("{}x{} at once, {:.0f} MB", width, height, megabytes(tiling.arena_bytes))
            : fmt::format("{}x{} in {} tiles of {} with a halo of {}, {:.0f} MB", width, height,
                          tiles.size(), core, tiling.halo, megabytes(tiling.arena_bytes)));
    try {
      int done = 0;
      const auto progress = [&](int step, int steps) {
        const int all = static_cast<int>(tiles.size());
        if (options.progress) options.progress(done * steps + step, all * steps);
      };
      for (const Tile& tile : tiles) {
        check_cancel();
        const Tensor y = compute(tile.window, options, source, progress);
        const Rectangle output = scaled(tile.core, scale);
        const Rectangle from = scaled(tile.window, scale);
        sink(output, y.crop(output.y - from.y, output.x - from.x, output.h, output.w));
        ++done;
      }
      return tiling;
    } catch (const OutOfMemory&) {
      plans_.clear();
      const int smaller = core / 2;
      if (options.mode == TileOptions::Mode::kOff || smaller < kSmallestCore) throw;
      tiling.core = round_up(smaller, tiling.grid);
      if (tiling.halo == 0) tiling.halo = static_cast<int>(std::ceil(tiling.footprint.radius));
      warn(fmt::format("memory ran out; trying again with tiles of {} pixels", tiling.core));
    }
  }
}

}  // namespace mend
