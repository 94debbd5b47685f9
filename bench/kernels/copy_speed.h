// How near a kernel that does little arithmetic comes to the memory that it reads and writes: against a plain copy of
// the same tensors, which stay in the same caches.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "engine/cost.h"
#include "engine/ladder.h"
#include "engine/parallel.h"
#include "engine/tensor.h"

namespace mend::bench {

/// x to y, of as many bytes, one piece a thread.
inline void copy_by_threads(const Tensor& x, const Tensor& y) {
  const std::int64_t bytes = x.bytes(), pieces = threads();
  const auto* from = static_cast<const std::byte*>(x.address());
  std::byte* to = y.storage()->data();
  parallel_for(pieces, [&](std::int64_t piece, int) {
    const std::int64_t first = bytes * piece / pieces, end = bytes * (piece + 1) / pieces;
    std::memcpy(to + first, from + first, static_cast<std::size_t>(end - first));
  });
}

template <class Work>
double seconds_of(const Work& work, int times) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / times;
}

/// Whether an operation does little but read x and write y.
inline bool is_like_copy(const Cost& cost, const Tensor& x, const Tensor& y) {
  const bool memory_bound =
      cost.bytes / NominalMachine::kBytesPerSecond >= cost.flops / NominalMachine::kFlopsPerSecond;
  return memory_bound && x.bytes() == y.bytes() &&
         cost.bytes <= 2.25 * static_cast<double>(y.bytes());
}

/// The time of a copy of x to y over that of work(), which reads x and writes y: the median of pairs in turn.
template <class Work>
double of_copy(const Work& work, const Tensor& x, const Tensor& y) {
  constexpr int kRounds = 15;
  constexpr double kSecondsOfRound = 2e-3;
  const int times = 1 + static_cast<int>(kSecondsOfRound / seconds_of(work, 2));
  std::vector<double> ratios;
  for (int round = 0; round < kRounds; ++round) {
    const double copy = seconds_of([&] { copy_by_threads(x, y); }, times);
    ratios.push_back(copy / seconds_of(work, times));
  }
  std::nth_element(ratios.begin(), ratios.begin() + kRounds / 2, ratios.end());
  return ratios[kRounds / 2];
}

}  // namespace mend::bench
