// What mend_gpu_counts runs: kernels on problems, by name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mend::bench {

/// The bytes that a case must move, and its arithmetic.
struct CountedProblem {
  std::string rung;
  std::int64_t x_bytes = 0, weight_bytes = 0, y_bytes = 0;
  double flops = 0;           ///< of multiplications on tensor cores, if there are any
  bool sums_kernels = false;  ///< whether the rung is all kernels that ran, or the longest alone
};

/// A case runs on zeros: what is counted does not depend on the numbers.
struct CountedCase {
  std::string name;
  std::function<CountedProblem()> run;
};

std::vector<CountedCase> product_counts();
std::vector<CountedCase> normalization_counts();
std::vector<CountedCase> attention_counts();
std::vector<CountedCase> sampling_counts();

}  // namespace mend::bench
