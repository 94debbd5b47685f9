// Running a network over an image of any size in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/plan.h"
#include "restore/tiles.h"

namespace mend {

struct TileOptions {
  enum class Mode { kAuto, kOff, kFixed };
  Mode mode = Mode::kAuto;
  int size = 0;        ///< of the cores, input pixels, for kFixed
  bool exact = false;  ///< a halo as wide as all that the result depends on, however wide
  /// What a plan's arena and constants may take together. kAuto keeps to it.
  std::int64_t memory_bytes = 1'000'000'000;
  /// Run the eager code instead of a plan; the result is the same.
  bool eager = false;
  /// Is told after each step of each tile how many are done, of how many.
  std::function<void(int done, int all)> progress;
};

/// How an image will be cut, and what that takes.
struct Tiling {
  int core = 0;  ///< 0: the whole image at once
  int halo = 0, grid = 1;
  bool exact = true;  ///< the result is that of the whole image, but for rounding
  std::int64_t arena_bytes = 0, constant_bytes = 0;
  Footprint footprint;
  bool whole() const { return core == 0; }
};

/// A network from one image [1,h,w,channels] to one image, tile by tile.
class TiledNetwork {
 public:
  /// `overlap`: the halo that is wide enough in practice where the receptive field is too wide to
  /// pay for (0: use the receptive field); the network's author states and tests its error.
  TiledNetwork(Network network, int channels, int overlap);

  /// The halo is, for kAuto, the receptive field: then the result differs from that of the whole
  /// image by rounding (1e-6). For kFixed and `exact` it is wide enough for the same bits.
  /// Chooses tiles for an image of height x width. Throws OutOfMemory if the smallest tile takes
  /// more than options.memory_bytes, and says how much it takes.
  Tiling choose(int height, int width, const TileOptions& options);

  using Source = std::function<void(const Rectangle& window, const Tensor& to)>;
  using Sink = std::function<void(const Rectangle& output, const Tensor& pixels)>;
  /// Fills each tile's input from `source`, runs, and gives each core's output to `sink`, with its
  /// place in the output image. When memory runs out, halves the tile and goes on.
  /// Returns the tiling that was used in the end.
  /// Throws NumericError, naming the layer, if an output is NaN or infinite.
  Tiling run(int height, int width, const TileOptions& options, const Source& source,
             const Sink& sink);

 private:
  Plan& plan_for(int height, int width);
  Tensor compute(const Rectangle& window, const TileOptions& options, const Source& source,
                 const std::function<void(int done, int all)>& progress);
  /// Finds the first layer whose output is not finite; throws NumericError that names it.
  [[noreturn]] void refuse_numbers(const Rectangle& window, const Source& source);
  Tiling measured(Tiling tiling, int height, int width);

  Network network_;
  int channels_, overlap_;
  std::shared_ptr<ConstantCache> constants_ = std::make_shared<ConstantCache>();
  std::map<std::pair<int, int>, std::unique_ptr<Plan>> plans_;
};

}  // namespace mend
