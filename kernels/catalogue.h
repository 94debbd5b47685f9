// All ladders by name, for the command line, the tests and the benches.
#pragma once

#include <string_view>
#include <vector>

namespace mend {

struct LadderSummary {
  std::string_view op;
  std::vector<std::string_view> rungs;  ///< without the operation's name: "direct"
};

const std::vector<LadderSummary>& all_ladders();

}  // namespace mend
