// What mend_gpu_times is made of: the rooms' cases, and how one is timed.
#pragma once

#include <functional>
#include <string>

#include "engine/op.h"

namespace mend {

/// Seconds of one launch, the median of many that a graph replays.
double seconds_of(const std::function<void()>& launch);
/// Prints a line of JSON.
void report(const std::string& name, double seconds, const Cost& cost);

/// Times the cases with `word` in their names.
void time_normalizations(const std::string& word);
void time_attention(const std::string& word);
void time_sampling(const std::string& word);
void time_narrow_images(const std::string& word);
void time_pairs(const std::string& word);

}  // namespace mend
