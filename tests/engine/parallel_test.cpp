#include "engine/parallel.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "tests/support/threads_scope.h"

using namespace mend;
using namespace mend::test;

TEST_CASE("parallel_for: every task runs once, whatever the number of threads") {
  for (const int count : {1, 2, 3, 7}) {
    const ThreadsScope scope(count);
    for (const std::int64_t tasks : {0, 1, 2, 5, 64, 1000, 12345}) {
      CAPTURE(count);
      CAPTURE(tasks);
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
      std::atomic<bool> known_threads = true;
      parallel_for(tasks, [&](std::int64_t task, int thread) {
        ++runs[static_cast<std::size_t>(task)];
        if (thread < 0 || thread >= threads()) known_threads = false;
      });
      CHECK(known_threads);
      CHECK(std::all_of(runs.begin(), runs.end(), [](const auto& n) { return n == 1; }));
    }
  }
}

TEST_CASE("TaskShares: more threads than shares take from them all the same") {
  TaskShares shares(10, 3);
  std::vector<int> taken(10);
  for (const int thread : {5, 2, 300, 1}) {
    for (int i = 0; i < 3; ++i) {
      const TaskShares::Range range = shares.take(thread);
      for (std::int64_t task = range.first; task < range.end; ++task)
        ++taken[static_cast<std::size_t>(task)];
    }
  }
  CHECK(taken == std::vector<int>(10, 1));
}

TEST_CASE("parallel_for: the others do what a slow thread does not come to") {
  const ThreadsScope scope(2);
  constexpr std::int64_t kTasks = 40;
  std::atomic<int> by_first = 0;
  parallel_for(kTasks, [&](std::int64_t, int thread) {
    if (thread == 0) ++by_first;
    std::this_thread::sleep_for(std::chrono::milliseconds(thread == 0 ? 10 : 1));
  });
  CHECK(by_first < kTasks / 2);
}
