// All ladders by name, and the instruction sets that they run on, for the command line, the tests and the benches.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mend {

struct LadderSummary {
  std::string_view op;
  std::vector<std::string_view> rungs;  ///< without the operation's name: "direct"
};

const std::vector<LadderSummary>& all_ladders();

/// The SIMD instruction sets that were compiled and that this machine has, best first: the kernels
/// run on the first.
std::vector<std::string> instruction_sets();

}  // namespace mend
