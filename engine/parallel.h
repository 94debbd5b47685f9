// Work on all threads. Tasks must write disjoint outputs: then the result is the same for any
// number of threads. The only file that knows OpenMP.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace mend {

/// How many threads `parallel_for` uses.
inline int threads() { return omp_get_max_threads(); }
inline void set_threads(int count) { omp_set_num_threads(std::max(1, count)); }

/// Who computes what: each thread has its share of neighbouring tasks and takes them from the front, a grain at a time; one
/// that is done takes from the back of another's. So a thread that the system slows down does not keep the rest waiting.
class TaskShares {
 public:
  static constexpr int kMostThreads = 256;

  struct Range {
    std::int64_t first, end;
  };

  TaskShares(std::int64_t tasks, int threads)
      : tasks_(tasks),
        threads_(std::min(threads, kMostThreads)),
        grain_((tasks + threads_ * kGrains - 1) / (threads_ * kGrains)) {
    const std::int64_t grains = (tasks + grain_ - 1) / grain_;
    for (int thread = 0; thread < threads_; ++thread) {
      shares_[thread].store(pack(grains * thread / threads_, grains * (thread + 1) / threads_),
                            std::memory_order_relaxed);
    }
  }

  /// Tasks for this thread; none are left if the range is empty.
  Range take(int thread) {
    for (int i = 0; i < threads_; ++i) {
      std::atomic<std::uint64_t>& share = shares_[(thread + i) % threads_];
      std::uint64_t now = share.load(std::memory_order_relaxed);
      while (first_of(now) < end_of(now)) {
        const std::int64_t first = first_of(now), end = end_of(now);
        const std::uint64_t rest = i == 0 ? pack(first + 1, end) : pack(first, end - 1);
        if (!share.compare_exchange_weak(now, rest, std::memory_order_relaxed)) continue;
        const std::int64_t grain = i == 0 ? first : end - 1;
        return {grain * grain_, std::min(tasks_, (grain + 1) * grain_)};
      }
    }
    return {0, 0};
  }

 private:
  static constexpr std::int64_t kGrains = 32;  // of a share

  static std::uint64_t pack(std::int64_t first, std::int64_t end) {
    return static_cast<std::uint64_t>(first) << 32 | static_cast<std::uint64_t>(end);
  }
  static std::int64_t first_of(std::uint64_t share) {
    return static_cast<std::int64_t>(share >> 32);
  }
  static std::int64_t end_of(std::uint64_t share) { return static_cast<std::uint32_t>(share); }

  std::int64_t tasks_;
  int threads_;
  std::int64_t grain_;
  std::atomic<std::uint64_t> shares_[kMostThreads];
};

/// Calls body(task, thread) once for every task in [0, tasks), thread in [0, threads()).
/// The body must not throw. Neighbouring tasks mostly go to the same thread. Inside of a task, all tasks of
/// another parallel_for run on that task's thread, as thread 0.
template <class Body>
void parallel_for(std::int64_t tasks, const Body& body) {
  if (tasks <= 1 || threads() == 1 || omp_in_parallel()) {
    for (std::int64_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
  TaskShares shares(tasks, threads());
#pragma omp parallel
  {
    const int thread = omp_get_thread_num();
    for (auto range = shares.take(thread); range.first < range.end; range = shares.take(thread)) {
      for (std::int64_t task = range.first; task < range.end; ++task) body(task, thread);
    }
  }
}

}  // namespace mend
