// A ladder: the one table of an operation's variants (rungs), naive to fastest.
//
// Dispatch, tests and benches all read this table; a new kernel is one file and one line. The rung
// is chosen by a model of its time (FLOPs, bytes and nominal machine peaks), not by measurements:
// the choice, and with it every bit of the result, is then the same on every run.
#pragma once

#include <fmt/format.h>

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/log.h"
#include "engine/shape.h"

namespace mend {

/// One implementation of an operation. `Kernel` is what the room's forward calls: a function
/// pointer, or a few of them (pack, run, scratch).
template <class Op, class Kernel>
struct Variant {
  std::string_view name;  ///< "conv2d/direct"
  DeviceKind device;
  /// Why this rung cannot do the case ("needs stride 1"); empty if it can.
  std::string (*refuses)(const Op& op, const Shapes& in);
  /// Modelled seconds for the case.
  double (*seconds)(const Op& op, const Shapes& in);
  /// Relative L2 error against the reference that the rung stays within, in f32.
  double error_within;
  Kernel kernel;
};

/// Predicate of a rung that can do every case.
template <class Op>
std::string never_refuses(const Op&, const Shapes&) {
  return {};
}
/// Modelled time of a reference: any other rung is faster.
template <class Op>
double slowest(const Op&, const Shapes&) {
  return 1e9;
}

/// Nominal peaks of one core, from which rungs model their time. Ratios matter, not the values:
/// a 3 GHz core with two 16-lane FMA units, and a DRAM stream.
struct NominalMachine {
  static constexpr double kFlopsPerSecond = 190e9;
  static constexpr double kBytesPerSecond = 14e9;
};

/// What `--kernel conv2d=direct` asked for: the rung "conv2d/direct" wherever conv2d runs.
void force_variant(const std::string& op, const std::string& rung);
void clear_forced_variants();
/// The rung forced for `op`, or empty.
std::string forced_variant(std::string_view op);

/// The fastest rung of `ladder` that can do the case, or the forced one.
/// Throws UsageError if a forced rung does not exist or cannot do the case.
template <class Op, class Kernel>
const Variant<Op, Kernel>& choose(std::span<const Variant<Op, Kernel>> ladder, const Op& op,
                                  const Shapes& in, DeviceKind device) {
  const std::string forced = forced_variant(Op::kName);
  const Variant<Op, Kernel>* best = nullptr;
  double least = std::numeric_limits<double>::infinity();
  std::string refusals;
  for (const auto& rung : ladder) {
    if (rung.device != device) continue;
    const std::string reason = rung.refuses(op, in);
    if (!forced.empty()) {
      if (rung.name.substr(Op::kName.size() + 1) != forced) continue;
      if (!reason.empty()) {
        throw UsageError(fmt::format("{} was forced but {}", rung.name, reason));
      }
      return rung;
    }
    if (!reason.empty()) {
      if (verbose()) refusals += fmt::format("; not {}: {}", rung.name, reason);
      continue;
    }
    if (const double seconds = rung.seconds(op, in); seconds < least) {
      least = seconds;
      best = &rung;
    }
  }
  if (best == nullptr) {
    std::string names;
    for (const auto& rung : ladder) names += fmt::format(" {}", rung.name);
    throw UsageError(
        fmt::format("{}={} names no rung on this device; there are:{}", Op::kName, forced, names));
  }
  if (verbose())
    detail(fmt::format("{} {} runs on {}{}", Op::kName, to_string(in[0]), best->name, refusals));
  return *best;
}

/// What one rung of a ladder is to a case, for reports.
struct ConsideredRung {
  std::string_view name;  ///< "conv2d/direct"
  std::string refusal;    ///< why it cannot do the case; empty if it can
  double seconds = 0;     ///< modelled; 0 if it cannot do the case
  bool chosen = false;    ///< what runs
};

/// All rungs of the device, naive to fastest, and which one `choose` takes: `chosen` if it is known
/// already. Throws as choose() does.
template <class Op, class Kernel>
std::vector<ConsideredRung> consider(std::span<const Variant<Op, Kernel>> ladder, const Op& op,
                                     const Shapes& in, DeviceKind device,
                                     const Variant<Op, Kernel>* chosen = nullptr) {
  if (chosen == nullptr) chosen = &choose(ladder, op, in, device);
  std::vector<ConsideredRung> rungs;
  for (const auto& rung : ladder) {
    if (rung.device != device) continue;
    const std::string refusal = rung.refuses(op, in);
    const double seconds = refusal.empty() ? rung.seconds(op, in) : 0;
    rungs.push_back({rung.name, refusal, seconds, rung.name == chosen->name});
  }
  return rungs;
}

}  // namespace mend
