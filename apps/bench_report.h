// What `mend bench` measured of a network: whole, and step by step.
#pragma once

#include <string>
#include <vector>

#include "engine/ladder.h"
#include "engine/plan.h"
#include "models/network.h"

namespace mend {

/// Numbers in 0..1 of no meaning, the same on every run.
Tensor synthetic_input(const Shape& shape);

/// Seconds of many runs of the same work.
class Timing {
 public:
  void add(double seconds) { seconds_.push_back(seconds); }
  /// q in 0..1; there must be a run.
  double quantile(double q) const;
  double median() const { return quantile(0.5); }
  std::size_t runs() const { return seconds_.size(); }

 private:
  std::vector<double> seconds_;
};

/// One step of a plan that takes time; views do not.
struct LayerBench {
  std::string layer;  ///< the parameters' common path
  std::string op, parameters;
  Cost cost;  ///< by the formula: Winograd's savings are not taken off
  std::vector<ConsideredRung> rungs;
  Timing timing;

  /// The rung that runs; empty for an operation without a ladder.
  std::string variant() const;
};

struct NetworkBench {
  std::string network, size;
  bool made_up = false;  ///< the parameters
  int threads = 1;
  double load_seconds = 0;  ///< from the name of the file to a network with its parameters
  double fma_peak = 0;      ///< FLOP/s, measured; 0 on a GPU
  std::string device = "cpu";
  std::string launches;  ///< on a GPU: what a run is, a graph or a launch for each step
  Cost cost;             ///< FLOPs as traced, bytes as the plan's steps move them
  std::int64_t arena_bytes = 0;
  double peak_rss_mb = 0;
  Timing timing;
  std::vector<LayerBench> layers;
};

/// What a run of a plan that has run twice is on a GPU: "a CUDA graph of 34 nodes, ...".
std::string launches_of(const Plan& plan);

/// The steps of `plan`, not timed yet; `steps` gets the number of each in the plan.
std::vector<LayerBench> layers_of(const Plan& plan, std::vector<std::size_t>& steps);

/// One line; with `layers` an array of that name.
Json to_json(const NetworkBench& bench, bool layers);

void print_layers(const NetworkBench& bench);
void print_summary(const NetworkBench& bench);

}  // namespace mend
