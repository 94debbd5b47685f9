#include "train/joined_gpus.h"

#include <functional>
#include <span>

#include "engine/error.h"

namespace mend {
namespace {

/// Does `work`, and returns what it threw.
std::string problem_of(const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

/// `here`, or that another rank has a problem; empty if none has. Collective.
std::string problem_of_any(Replicas& replicas, const std::string& here) {
  const bool fails = replicas.any(!here.empty());
  return fails && here.empty() ? "another process cannot" : here;
}

}  // namespace

JoinedGpus join_gpus(Replicas& replicas, Device& device) {
  JoinedGpus joined;
  if (replicas.size() == 1) return joined;
  // All take the same way from here on, also where one has no GPU.
  joined.why_not = problem_of_any(
      replicas, device.kind() == DeviceKind::kCuda ? gpu_mean_problem() : "it trains on a CPU");
  if (!joined.why_not.empty()) return joined;
  GpuMean::Id id{};
  std::string problem;
  if (replicas.leads()) problem = problem_of([&] { id = make_gpu_mean_id(); });
  joined.why_not = problem_of_any(replicas, problem);
  if (!joined.why_not.empty()) return joined;
  replicas.broadcast(std::as_writable_bytes(std::span(id)));
  problem = problem_of(
      [&] { joined.mean = join_gpu_mean(id, replicas.rank(), replicas.size(), device); });
  joined.why_not = problem_of_any(replicas, problem);
  if (!joined.why_not.empty()) joined.mean.reset();
  return joined;
}

}  // namespace mend
