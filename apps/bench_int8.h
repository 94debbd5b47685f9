// mend bench --precision int8: what 8-bit integers bring, and what they cost.
#pragma once

#include <string>

#include "models/network.h"

namespace mend {

struct Int8Bench {
  std::string size;     ///< WIDTHxHEIGHT; empty: the picture's, or see size_for
  std::string picture;  ///< a file whose middle is the input; empty: numbers of no meaning
  double min_seconds = 1;
  int min_runs = 5;
  bool json = false;
};

/// Runs the network in f32 and in int8 in turn and prints both medians, and the PSNR of int8 against
/// f32. Throws UsageError if no layer runs in int8 or the picture is too small, InputError.
void bench_int8(const Model& model, const Int8Bench& bench);

}  // namespace mend
