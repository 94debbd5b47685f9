// The metrics that `mend compare` knows by name, and the weights that some of them need.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "restore/lpips.h"
#include "restore/metrics.h"
#include "restore/niqe.h"

namespace mend {

struct MetricOptions {
  std::vector<std::string> names;  ///< "psnr", ...; empty: PSNR, SSIM, and of one channel PSNR-B
  std::vector<std::string> weights;
  int border = 0;
  bool luma = false;

  void add_to(CLI::App& command);
  /// All but the weights of metrics.
  void add_names_to(CLI::App& command);
};

struct MetricWeights {
  std::optional<NiqeModel> niqe;
  std::optional<LpipsNetwork> lpips;
};

struct NamedScore {
  std::string name;  ///< "PSNR"
  Score score;
};

bool needs_reference(const MetricOptions& options);

/// What the metrics of `options` need, from its files; which is which shows in their keys. Throws
/// UsageError if a metric's weights were not given, CheckpointError if a file has none.
MetricWeights load_metric_weights(const MetricOptions& options);

/// `reference` may be null if none of the metrics needs it. Throws what they throw.
std::vector<NamedScore> scores_of(const MetricOptions& options, const MetricWeights& weights,
                                  const Image& test, const Image* reference);

}  // namespace mend
