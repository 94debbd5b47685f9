// Which 8-bit codes suit the values of a network: found by running it in f32 on samples.
#pragma once

#include <string>
#include <vector>

#include "engine/trace.h"

namespace mend {

struct Calibration {
  /// A step that can run on 8-bit integers, and the codes of what it reads and writes.
  struct StepCodes {
    std::string label;
    Tensor input, output;  ///< as engine/quantization.h has them; of one value, the same tensor
  };
  std::vector<StepCodes> steps;  ///< in the order in which they run
};

/// Runs `network` on each of the samples, which are its inputs, and takes codes that reach from the
/// least to the greatest number in each channel of each value. The same for any number of threads.
/// No steps if the network has none that can run on 8-bit integers.
Calibration calibrate(const Network& network, const std::vector<std::vector<Tensor>>& samples);

/// Codes of scale 1 for every such step: enough for a plan that is looked at and not run, since neither
/// its steps nor its memory depend on them.
Calibration nominal_calibration(const Network& network, const Shapes& inputs);

/// The steps of `graph` that can run on 8-bit integers. Their epilogues must be absorbed already: a
/// quantized step takes over nothing more.
std::vector<std::size_t> quantizable_steps(const Graph& graph);

}  // namespace mend
