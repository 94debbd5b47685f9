// mend bench --precision int8, f16 or bf16: what fewer bits bring, and what they cost.
#pragma once

#include <string>

#include "models/network.h"
#include "restore/tiled_network.h"

namespace mend {

struct PrecisionBench {
  Precision precision = Precision::kInt8;
  std::string size;     ///< WIDTHxHEIGHT; empty: the picture's, or see size_for
  std::string picture;  ///< a file whose middle is the input; empty: numbers of no meaning
  double min_seconds = 1;
  int min_runs = 5;
  bool json = false;
};

/// Runs the network in f32 and in the other precision in turn and prints both medians, and the PSNR of the latter
/// against f32. Throws UsageError if no layer runs in int8 or the picture is too small, InputError.
void bench_precision(const Model& model, const PrecisionBench& bench);

}  // namespace mend
