// All ladders by name, and the instruction sets that they run on, for the command line, the tests and the benches.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {

struct LadderSummary {
  std::string_view op;
  std::vector<std::string_view> rungs;  ///< without the operation's name: "direct"
  /// considered_rungs for an operation of this name.
  std::function<std::vector<ConsideredRung>(const AnyOp& op, const Shapes& in, DeviceKind device)>
      consider;
};

const std::vector<LadderSummary>& all_ladders();

/// The rungs that a step of a plan could run on, and which it does; empty for an operation without a
/// ladder. `in`: the step's inputs, a repacked weight as it is.
std::vector<ConsideredRung> considered_rungs(const AnyOp& op, const Shapes& in,
                                             DeviceKind device = DeviceKind::kCpu);

/// The SIMD instruction sets that were compiled and that this machine has, best first: the kernels
/// run on the first.
std::vector<std::string> instruction_sets();

}  // namespace mend
