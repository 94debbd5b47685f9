// The next batch is made while a GPU is busy with the last one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "train/pairs.h"

namespace mend {

class BatchAhead {
 public:
  /// Batches of `count` samples of `source`, which must live longer.
  BatchAhead(const PairSource& source, int count);
  ~BatchAhead();
  BatchAhead(const BatchAhead&) = delete;
  BatchAhead& operator=(const BatchAhead&) = delete;

  /// source.batch(first, count), already made if the call before named it as `next`; that of `next` is begun.
  /// Throws what the batch threw.
  Pairs take(std::int64_t first, std::int64_t next);

 private:
  void work(int threads);

  const PairSource& source_;
  const int count_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::int64_t> asked_;  // the first sample of the batch that is being made
  std::optional<Pairs> made_;
  std::exception_ptr fault_;
  bool stops_ = false;
  std::thread worker_;
};

}  // namespace mend
