#include "restore/tiled_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <new>

#include "engine/cancel.h"
#include "engine/diagnose.h"
#include "engine/error.h"
#include "engine/log.h"
#include "restore/tile_blend.h"
#include "restore/tile_lanes.h"

namespace mend {
namespace {

constexpr int kSmallestCore = 32;
/// Cores of exact tiles that kAuto tries. Beyond 1024 a tile only takes memory: the halo is a few
/// percent by then.
constexpr int kCores[] = {1024, 768, 512, 384, 256, 192, 128, 96, 64, kSmallestCore};

/// Of networks that see everything: what is still seen beyond a tile's last pixel.
constexpr int kOverlapOfGlobal = 48;
/// How far blended tiles are kept beyond their cores, at most: half a ramp.
constexpr int kBlend = 16;

int round_up(int value, int grid) { return (value + grid - 1) / grid * grid; }

double megabytes(std::int64_t bytes) { return static_cast<double>(bytes) / 1e6; }

Rectangle scaled(const Rectangle& r, double scale) {
  const auto at = [scale](int v) { return static_cast<int>(std::lround(v * scale)); };
  return {at(r.y), at(r.x), at(r.y + r.h) - at(r.y), at(r.x + r.w) - at(r.x)};
}

/// "tiles of 256", "tiles of 640x1080", with their halo.
std::string describe(const Cut& cut) {
  const std::string size = cut.core_h == cut.core_w ? fmt::format("{}", cut.core_w)
                                                    : fmt::format("{}x{}", cut.core_w, cut.core_h);
  return fmt::format("tiles of {} with a halo of {}{}", size, cut.halo,
                     cut.blend > 0 ? fmt::format(", blended over {}", 2 * cut.blend) : "");
}

}  // namespace

void check_f32(const TileOptions& options, std::string_view task) {
  if (options.precision == Precision::kF32 || options.precision == Precision::kAuto) return;
  throw UsageError(fmt::format("--precision {}: {} runs in f32 alone; leave it out",
                               name_of(options.precision), task));
}

const Network& TiledNetwork::network_for(const Tiling& tiling) const {
  return tiling.local ? net_.local : net_.network;
}

Plan TiledNetwork::plan_of(const Network& network, int height, int width, Precision precision,
                           Device& device) const {
  const PlanOptions options{.calibration = calibration_ ? &*calibration_ : nullptr,
                            .device = &device,
                            .narrow = narrow_images_of(precision),
                            .records = records_};
  return {network, {{1, height, width, net_.channels}}, constants_, options};
}

Plan& TiledNetwork::plan_for(const Tiling& tiling, int height, int width, Precision precision,
                             Device& device) {
  std::unique_ptr<Plan>& plan = plans_[{tiling.local, height, width, precision, &device}];
  if (plan == nullptr) {
    plan = std::make_unique<Plan>(plan_of(network_for(tiling), height, width, precision, device));
  }
  return *plan;
}

Tiling TiledNetwork::measured(Tiling tiling, int height, int width) const {
  const Rectangle window =
      tiling.whole() ? Rectangle{0, 0, height, width} : largest_window(height, width, tiling.cut);
  const Plan plan = plan_of(network_for(tiling), window.h, window.w, precision_);
  tiling.arena_bytes = plan.arena_bytes();
  if (!tiling.whole() && !is_on_cpu()) {
    tiling.arena_bytes += TileLanes::device_bytes(plan);
  }
  tiling.constant_bytes = plan.constant_bytes();
  return tiling;
}

Tiling TiledNetwork::halo_for(int height, int width, const TileOptions& options) const {
  const Plan plan = plan_of(net_.network, height, width, precision_);
  const bool same_bits = options.exact || options.mode == TileOptions::Mode::kFixed;
  Tiling tiling;
  tiling.footprint = same_bits ? plan.executed_footprint() : plan.footprint();
  tiling.global = tiling.footprint.global;
  tiling.local = net_.local != nullptr;
  const int radius = static_cast<int>(std::ceil(tiling.footprint.radius));
  const int overlap = net_.overlap == 0 && tiling.global ? kOverlapOfGlobal : net_.overlap;
  const int blend = std::min(kBlend, overlap / 4);
  const bool wide = overlap > 0 && overlap + blend < radius && !options.exact;
  tiling.exact = !wide && !tiling.global;
  // The squares of Winograd's rungs matter to the last bit alone.
  tiling.cut.grid = (tiling.exact ? plan.executed_footprint() : plan.footprint()).grid;
  tiling.cut.blend = tiling.exact ? 0 : blend;
  // The local variant sees further than the network's own layers do: `radius` is not its own.
  const int seen = wide || (tiling.local && !options.exact) ? overlap : radius;
  tiling.cut.halo = seen + tiling.cut.blend;
  // On the grid, or windows would need a step of it more.
  if (!tiling.exact) tiling.cut.halo = round_up(tiling.cut.halo, tiling.cut.grid);
  return tiling;
}

Tiling TiledNetwork::evenly_cut(const Tiling& tiling, int height, int width,
                                std::int64_t bytes) const {
  const auto takes = [](const Tiling& t) { return t.arena_bytes + t.constant_bytes; };
  const Cut& cut = tiling.cut;
  const int smallest = round_up(std::max(kSmallestCore, 2 * cut.blend), cut.grid);
  const auto rows = even_cuts(height, smallest, cut.halo, cut.grid);
  const auto columns = even_cuts(width, smallest, cut.halo, cut.grid);
  Tiling whole = tiling;
  whole.cut.core_h = round_up(height, cut.grid);
  whole.cut.core_w = round_up(width, cut.grid);
  whole = measured(whole, height, width);
  // An arena grows with the pixels of the window; what the guess missed is put right and tried again.
  double bytes_per_pixel = static_cast<double>(whole.arena_bytes) / height / width;
  for (;;) {
    const double pixels = static_cast<double>(bytes - whole.constant_bytes) / bytes_per_pixel;
    Tiling best = tiling;
    double least_work = 0;
    for (const AxisCut& row : rows) {
      for (const AxisCut& column : columns) {
        const double window = static_cast<double>(row.window) * column.window;
        const double work = window * row.count * column.count;
        if (window > pixels || (!best.whole() && work >= least_work)) continue;
        least_work = work;
        best.cut.core_h = row.core;
        best.cut.core_w = column.core;
      }
    }
    if (best.whole()) return best;
    best = measured(best, height, width);
    if (takes(best) <= bytes) return best;
    bytes_per_pixel *= 1.01 * static_cast<double>(takes(best)) / static_cast<double>(bytes);
  }
}

Tiling TiledNetwork::choose(int height, int width, const TileOptions& options) {
  if (devices_ != options.devices) plans_.clear();
  devices_ = options.devices;
  records_ = options.records;
  precision_ = precision_for(options.precision, net_.narrow_type, first_device());
  Tiling tiling = halo_for(height, width, options);
  Tiling whole;
  whole.footprint = tiling.footprint;
  whole.cut.grid = tiling.cut.grid;
  whole.global = tiling.global;
  if (options.mode != TileOptions::Mode::kFixed) {
    whole = measured(whole, height, width);
    const bool fits = whole.arena_bytes + whole.constant_bytes <= options.memory_bytes;
    if (fits || options.mode == TileOptions::Mode::kOff) return whole;
  }
  if (options.mode == TileOptions::Mode::kFixed) {
    tiling.cut.core_h = tiling.cut.core_w = round_up(std::max(options.size, 1), tiling.cut.grid);
    return measured(tiling, height, width);
  }
  if (!tiling.exact) {
    const Tiling even = evenly_cut(tiling, height, width, options.memory_bytes);
    if (!even.whole()) return even;
  }
  for (const int core : kCores) {
    tiling.cut.core_h = tiling.cut.core_w = round_up(core, tiling.cut.grid);
    tiling = measured(tiling, height, width);
    if (tiling.arena_bytes + tiling.constant_bytes <= options.memory_bytes) return tiling;
  }
  throw OutOfMemory(fmt::format(
      "a tile of {} pixels with a halo of {} takes {:.0f} MB, and --memory allows {:.0f} MB; raise "
      "it{}",
      tiling.cut.core_w, tiling.cut.halo, megabytes(tiling.arena_bytes + tiling.constant_bytes),
      megabytes(options.memory_bytes), options.exact ? " or leave out --tile-exact" : ""));
}

Tensor TiledNetwork::compute(const Tiling& tiling, const Rectangle& window,
                             const TileOptions& options, const Source& source,
                             const std::function<void(int done, int all)>& progress) {
  Tensor y;
  if (options.eager) {
    if (!is_on_cpu()) throw UsageError("--eager runs on the CPU alone");
    const Tensor x = Tensor::empty({1, window.h, window.w, net_.channels});
    source(window, x);
    y = network_for(tiling)({x}).front();
    progress(1, 1);
  } else {
    y = run_plan(plan_for(tiling, window.h, window.w, precision_), window, source, progress);
  }
  return checked(y, tiling, window, source);
}

Tensor TiledNetwork::checked(const Tensor& made, const Tiling& tiling, const Rectangle& window,
                             const Source& source) {
  const bool is_doubtful = is_narrow(precision_) && (!all_finite(made) || is_constant(made));
  const Tensor y = is_doubtful ? again_in_f32(made, tiling, window, source) : made;
  if (!all_finite(y)) refuse_numbers(tiling, window, source);
  return y;
}

Tensor TiledNetwork::run_plan(Plan& plan, const Rectangle& window, const Source& source,
                              const std::function<void(int done, int all)>& progress) const {
  if (is_on_cpu()) {
    source(window, plan.input(0));
  } else {
    const Tensor x = Tensor::empty({1, window.h, window.w, net_.channels});
    source(window, x);
    plan.set_input(0, x);
  }
  plan.run(progress);
  return plan.results(0, 1)[0];
}

Tensor TiledNetwork::again_in_f32(const Tensor& narrow, const Tiling& tiling,
                                  const Rectangle& window, const Source& source) {
  const bool was_finite = all_finite(narrow);
  const Tensor y =
      run_plan(plan_for(tiling, window.h, window.w, Precision::kF32), window, source, {});
  // A picture may be of one colour.
  if (!was_finite || !is_constant(y)) {
    warn(fmt::format(
        "{} gave {} in the tile of rows {}..{} and columns {}..{}: computed again in f32",
        name_of(precision_), was_finite ? "one colour alone" : "NaN or infinity", window.y,
        window.y + window.h - 1, window.x, window.x + window.w - 1));
  }
  return y;
}

void TiledNetwork::refuse_numbers(const Tiling& tiling, const Rectangle& window,
                                  const Source& source) {
  const Tensor x = Tensor::empty({1, window.h, window.w, net_.channels});
  source(window, x);  // again: a plan may have used its input's memory for something else
  throw NumericError(fmt::format(
      "the network gave NaN or infinity at {}, in the tile of rows {}..{} and columns {}..{}; "
      "check the weights. Nothing was written",
      first_not_finite(plan_for(tiling, window.h, window.w, precision_).traced(), {x}), window.y,
      window.y + window.h - 1, window.x, window.x + window.w - 1));
}

void TiledNetwork::run_tiles(const Tiling& tiling, const std::vector<Tile>& tiles, int width,
                             const TileOptions& options, const Source& source, const Sink& sink) {
  const double scale = tiling.footprint.scale;
  TileBlend together(static_cast<int>(std::lround(width * scale)), sink);
  int done = 0;
  const auto progress = [&](int step, int steps) {
    const int all = static_cast<int>(tiles.size());
    if (options.progress) options.progress(done * steps + step, all * steps);
  };
  const auto take = [&](const Tile& tile, const Tensor& y) {
    const Rectangle kept = scaled(tile.kept, scale), from = scaled(tile.window, scale);
    together.add(kept, scaled(tile.clear, scale),
                 y.crop(kept.y - from.y, kept.x - from.x, kept.h, kept.w));
    ++done;
  };
  if (!is_on_cpu() && !options.eager && tiles.size() > 1) {
    return run_overlapped(tiling, tiles, source, [&](const Tile& tile, const Tensor& y) {
      take(tile, y);
      progress(0, 1);
    });
  }
  for (const Tile& tile : tiles) {
    check_cancel();
    take(tile, compute(tiling, tile.window, options, source, progress));
  }
}

void TiledNetwork::run_overlapped(const Tiling& tiling, const std::vector<Tile>& tiles,
                                  const Source& source, const Take& take) {
  std::deque<TileLanes> lanes;
  for (Device* device : devices_) lanes.emplace_back(*device);
  const std::size_t gpus = devices_.size();
  for (std::size_t i = 0; i < tiles.size() + gpus; ++i) {
    check_cancel();
    if (i < tiles.size()) {
      const Rectangle& window = tiles[i].window;
      lanes[i % gpus].start(plan_for(tiling, window.h, window.w, precision_, *devices_[i % gpus]),
                            [&](const Tensor& x) { source(window, x); });
    }
    if (i < gpus) continue;
    const Tile& last = tiles[i - gpus];  // in the order of tiles, whatever their number
    take(last, checked(lanes[i % gpus].finish(), tiling, last.window, source));
  }
}

void TiledNetwork::say(const Tiling& tiling, int height, int width, std::size_t tiles) const {
  if (tiling.whole()) {
    detail(fmt::format("{}x{} at once, {:.0f} MB", width, height, megabytes(tiling.arena_bytes)));
    return;
  }
  const std::size_t takers = std::min(devices_.size(), tiles);
  detail(fmt::format("{}x{} in {} {}{}, {:.0f} MB; the halo is {}", width, height, tiles,
                     describe(tiling.cut), takers > 1 ? fmt::format(" on {} GPUs", takers) : "",
                     megabytes(tiling.arena_bytes),
                     tiling.exact ? "all that the network sees" : "less than the network sees"));
  if (tiling.local) {
    inform(
        fmt::format("the picture is cut, so the network runs as {}; --tile off and a larger "
                    "--memory run it on the whole picture",
                    net_.local_name));
  } else if (tiling.global) {
    warn(
        "this network looks at the whole image at once, so tiles change its result; --tile off "
        "and a larger --memory avoid that");
  }
}

Tiling TiledNetwork::run(int height, int width, const TileOptions& options, const Source& source,
                         const Sink& sink) {
  try {
    return run_there(height, width, options, source, sink);
  } catch (const OutOfMemory& error) {
    if (options.devices.front()->kind() == DeviceKind::kCpu) throw;
    warn(fmt::format("{}; going on on the CPU", error.what()));
  }
  if (options.start_over) options.start_over();
  TileOptions on_cpu = options;
  on_cpu.devices = {&cpu()};
  on_cpu.memory_bytes = options.fallback_memory_bytes;
  if (is_narrow(options.precision)) on_cpu.precision = Precision::kF32;
  return run_there(height, width, on_cpu, source, sink);
}

Tiling TiledNetwork::run_there(int height, int width, const TileOptions& options,
                               const Source& source, const Sink& sink) {
  if (options.eager) check_f32(options, "--eager");
  if (options.precision == Precision::kInt8 && !calibration_) {
    calibrate(height, width, source);
  }
  Tiling tiling = choose(height, width, options);
  for (;;) {
    Cut cut = tiling.cut;
    if (tiling.whole()) {
      cut.core_h = round_up(height, cut.grid);
      cut.core_w = round_up(width, cut.grid);
    }
    const std::vector<Tile> tiles = cut_tiles(height, width, cut);
    say(tiling, height, width, tiles.size());
    try {
      run_tiles(tiling, tiles, width, options, source, sink);
      return tiling;
    } catch (const OutOfMemory&) {
      plans_.clear();
      int& longer = cut.core_h > cut.core_w ? cut.core_h : cut.core_w;
      if (options.mode == TileOptions::Mode::kOff || longer / 2 < kSmallestCore) throw;
      longer = round_up(longer / 2, cut.grid);
      if (tiling.whole()) tiling = halo_for(height, width, options);
      tiling.cut.core_h = cut.core_h;
      tiling.cut.core_w = cut.core_w;
      tiling = measured(tiling, height, width);
      warn(fmt::format("memory ran out; trying again with {}", describe(tiling.cut)));
      if (options.start_over) options.start_over();
    }
  }
}

}  // namespace mend
