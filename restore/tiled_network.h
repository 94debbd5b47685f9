// Running a network over an image of any size in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/calibration.h"
#include "engine/plan.h"
#include "restore/precision.h"
#include "restore/tiles.h"

namespace mend {

/// Where a network runs: the CPU, or one or more GPUs. None twice.
using Devices = std::vector<Device*>;

struct TileOptions {
  enum class Mode { kAuto, kOff, kFixed };
  Mode mode = Mode::kAuto;
  int size = 0;        ///< of the cores, input pixels, for kFixed
  bool exact = false;  ///< a halo as wide as all that the result depends on, however wide
  /// What a plan's arena and constants may take together, on each device. kAuto keeps to it.
  std::int64_t memory_bytes = 1'000'000'000;
  /// The same on the CPU, where a GPU's memory is too small and the run goes on there.
  std::int64_t fallback_memory_bytes = 1'000'000'000;
  /// Run the eager code instead of a plan; the result is the same.
  bool eager = false;
  Precision precision = Precision::kF32;
  /// Where the network runs. Of several GPUs of one kind each computes some of the tiles; the result has the same
  /// bits for any number of them.
  Devices devices = {&cpu()};
  bool records = true;  ///< PlanOptions::records
  /// Is told after each step of each tile how many are done, of how many; of tiles that overlap on a GPU, after each.
  std::function<void(int done, int all)> progress;
  /// Is called when memory ran out and all outputs will be given again with smaller tiles: what the
  /// sink got so far is void.
  std::function<void()> start_over;
};

/// How an image will be cut, and what that takes.
struct Tiling {
  Cut cut;            ///< core 0 x 0: the whole image at once
  bool exact = true;  ///< the result is that of the whole image, but for rounding
  /// A whole image's statistics decide in this network, and each tile has its own.
  bool global = false;
  bool local = false;  ///< the network's local variant runs, because the image is cut
  std::int64_t arena_bytes = 0, constant_bytes = 0;
  Footprint footprint;

  bool whole() const { return cut.core_h == 0; }
  /// Where statistics of the whole image come from: "none" (it takes none), "image", "tile" or
  /// "neighbourhood" (its local variant).
  const char* statistics() const {
    if (!global) return "none";
    return whole() ? "image" : local ? "neighbourhood" : "tile";
  }
  /// "whole", "exact" (halos as wide as the receptive field), "blended" (narrower ones).
  const char* kind() const { return whole() ? "whole" : exact ? "exact" : "blended"; }
};

/// The patches of an image of height x width that it is calibrated on, of one size: in the middle of
/// each of nine parts, of fewer if it is small.
std::vector<Rectangle> calibration_patches(int height, int width);

/// Throws UsageError if nothing was found that int8 could run.
void check_calibration(const Calibration& calibration);

/// Throws UsageError if `options` ask for another precision, on behalf of a task that has no patches of a
/// picture to be calibrated on.
void check_f32(const TileOptions& options, std::string_view task);

/// What the tiler must know of a network.
struct TileableNetwork {
  Network network;   ///< from one image [1,h,w,channels] to one image
  int channels = 3;  ///< of the input
  /// The halo that is wide enough in practice where the receptive field is too wide to pay for (0:
  /// none is known); the network's author states and tests its error.
  int overlap = 0;
  /// Runs instead of `network` when the image is cut, if given: a published variant whose
  /// statistics are those of a neighbourhood, so that tiles see what the whole image would show.
  Network local = {};
  std::string local_name = {};
  DType narrow_type = DType::kF16;  ///< Traits::narrow_type
};

/// Cuts an image into tiles, runs the network on each and puts the results together.
///
/// The halo is the receptive field where that is affordable: then the result differs from that of
/// the whole image by rounding (1e-6), and for kFixed and `exact` not even by that. Where it is not,
/// because the network sees everything or because tiles would be mostly halo, tiles are blended over
/// a narrower one, so that no step shows; tests/restore/seam_test.cpp measures what remains.
class TiledNetwork {
 public:
  explicit TiledNetwork(TileableNetwork network) : net_(std::move(network)) {}

  /// Chooses tiles for an image of height x width. Throws OutOfMemory if the smallest tile takes
  /// more than options.memory_bytes, and says how much it takes; UsageError if the network does not run on
  /// the first of options.devices.
  Tiling choose(int height, int width, const TileOptions& options);

  using Source = std::function<void(const Rectangle& window, const Tensor& to)>;
  using Sink = std::function<void(const Rectangle& output, const Tensor& pixels)>;
  /// Fills each tile's input from `source`, runs, and gives every pixel of the output to `sink` once,
  /// with its place in the output image. When memory runs out, says so by options.start_over, halves
  /// the tile and begins again; where the smallest is too large for a GPU, on the CPU, in f32 in place of
  /// f16. Returns the tiling that was used in the end.
  /// In int8 the codes of the first run serve all later ones: they come from patches of this image,
  /// the same for all of its tiles and for any memory.
  /// Throws NumericError, naming the layer, if an output is NaN or infinite; UsageError if no layer of
  /// the network can run in the precision asked for.
  Tiling run(int height, int width, const TileOptions& options, const Source& source,
             const Sink& sink);

 private:
  const Network& network_for(const Tiling& tiling) const;
  /// On the first device: what it takes is the same on the others.
  Plan plan_of(const Network& network, int height, int width, Precision precision) const {
    return plan_of(network, height, width, precision, first_device());
  }
  Plan plan_of(const Network& network, int height, int width, Precision precision,
               Device& device) const;
  /// Finds the codes for int8 in f32 runs over patches of the image.
  void calibrate(int height, int width, const Source& source);
  Plan& plan_for(const Tiling& tiling, int height, int width, Precision precision) {
    return plan_for(tiling, height, width, precision, first_device());
  }
  Plan& plan_for(const Tiling& tiling, int height, int width, Precision precision, Device& device);
  Device& first_device() const { return *devices_.front(); }
  bool is_on_cpu() const { return first_device().kind() == DeviceKind::kCpu; }
  /// Everything but the core for tiles of an image: halo, grid, blend, and what they mean.
  Tiling halo_for(int height, int width, const TileOptions& options) const;
  Tiling measured(Tiling tiling, int height, int width) const;
  /// The cores of blended tiles, as even and as large as memory allows: each window repeats the work
  /// of its halo, and the more a network with statistics sees, the closer it is to the whole.
  /// Core 0 x 0 if none fits.
  Tiling evenly_cut(const Tiling& tiling, int height, int width, std::int64_t bytes) const;
  /// How the image is cut, for -v, and what tiles change, for everybody.
  void say(const Tiling& tiling, int height, int width, std::size_t tiles) const;
  /// As run(), on options.devices alone.
  Tiling run_there(int height, int width, const TileOptions& options, const Source& source,
                   const Sink& sink);
  void run_tiles(const Tiling& tiling, const std::vector<Tile>& tiles, int width,
                 const TileOptions& options, const Source& source, const Sink& sink);
  using Take = std::function<void(const Tile& tile, const Tensor& pixels)>;
  /// The same on GPUs, which take turns. On each the next tile is read and sent while one is computed, and the last
  /// one fetched.
  void run_overlapped(const Tiling& tiling, const std::vector<Tile>& tiles, const Source& source,
                      const Take& take);
  /// Runs a plan on the pixels of `window`.
  Tensor run_plan(Plan& plan, const Rectangle& window, const Source& source,
                  const std::function<void(int done, int all)>& progress) const;
  /// A tile that came out of f16 or bf16 without numbers or without any detail: again in f32.
  Tensor again_in_f32(const Tensor& narrow, const Tiling& tiling, const Rectangle& window,
                      const Source& source);
  Tensor compute(const Tiling& tiling, const Rectangle& window, const TileOptions& options,
                 const Source& source, const std::function<void(int done, int all)>& progress);
  /// What a plan made of `window`, or again_in_f32. Throws NumericError if it is not finite.
  Tensor checked(const Tensor& made, const Tiling& tiling, const Rectangle& window,
                 const Source& source);
  /// Finds the first layer whose output is not finite; throws NumericError that names it.
  [[noreturn]] void refuse_numbers(const Tiling& tiling, const Rectangle& window,
                                   const Source& source);

  TileableNetwork net_;
  // What the plans are for.
  Devices devices_ = {&cpu()};
  bool records_ = true;
  Precision precision_ = Precision::kF32;
  std::optional<Calibration> calibration_;
  std::shared_ptr<ConstantCache> constants_ = std::make_shared<ConstantCache>();
  // by variant, height, width, precision, device
  std::map<std::tuple<bool, int, int, Precision, const Device*>, std::unique_ptr<Plan>> plans_;
};

}  // namespace mend
