// Work on all threads. Tasks must write disjoint outputs: then the result is the same for any
// number of threads. The only file that knows OpenMP.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace mend {

/// How many threads `parallel_for` uses.
inline int threads() { return omp_get_max_threads(); }
inline void set_threads(int count) { omp_set_num_threads(std::max(1, count)); }

/// Calls body(task, thread) once for every task in [0, tasks), thread in [0, threads()).
/// The body must not throw. Neighbouring tasks go to the same thread. Inside of a task, all tasks of
/// another parallel_for run on that task's thread, as thread 0.
template <class Body>
void parallel_for(std::int64_t tasks, const Body& body) {
  if (tasks <= 1 || threads() == 1 || omp_in_parallel()) {
    for (std::int64_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
#pragma omp parallel for schedule(static)
  for (std::int64_t task = 0; task < tasks; ++task) body(task, omp_get_thread_num());
}

}  // namespace mend
