// What was measured of the networks at their authors' configurations: models/measured.json, which
// `make docs` writes (tests/models/measure_networks.cpp) and the build puts into the program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"

namespace mend {

/// One configuration of a network.
struct MeasuredNetwork {
  std::string network;  ///< "rrdbnet"
  std::string name;     ///< of the checkpoint: "RealESRGAN_x4plus"
  /// "published": the authors'; "formula": made by a formula under the keys of the authors' files;
  /// "small": those of a fixture of reduced widths, for networks with no larger one.
  std::string weights;
  Json hyperparameters;  ///< all of them, with the official constructor's names
  std::vector<std::string> tasks;
  std::string tile_policy;      ///< name_of(TilePolicy)
  std::int64_t parameters = 0;  ///< how many numbers training could change
  int size = 0;                 ///< side of the square picture that the arithmetic was counted on
  double gflops_per_megapixel = 0;  ///< of the network's input; a multiplication and sum are 2
  /// The largest difference from the authors' code over all outputs, and what the fixture allows;
  /// a tolerance of 0: there is no output to compare with.
  double error = 0, tolerance = 0;
};

/// All configurations, sorted by network and name.
const std::vector<MeasuredNetwork>& measured_networks();

/// The configuration of that name, or the first official one of the network of that name; null if
/// there is neither.
const MeasuredNetwork* find_configuration(const std::string& name);

}  // namespace mend
