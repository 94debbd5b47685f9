#include "train/batch_ahead.h"

#include <utility>

#include "engine/parallel.h"

namespace mend {

BatchAhead::BatchAhead(const PairSource& source, int count)
    : source_(source), count_(count), worker_([this, own = threads()] { work(own); }) {}

BatchAhead::~BatchAhead() {
  {
    const std::scoped_lock lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

Pairs BatchAhead::take(std::int64_t first, std::int64_t next) {
  std::unique_lock lock(mutex_);
  const bool is_asked = asked_ == first;
  if (!is_asked) {
    changed_.wait(lock, [&] { return !asked_ || made_ || fault_; });
    made_.reset();
    fault_ = nullptr;
    asked_ = first;
    changed_.notify_all();
  }
  changed_.wait(lock, [&] { return made_ || fault_; });
  asked_.reset();
  if (fault_) std::rethrow_exception(std::exchange(fault_, nullptr));
  Pairs pairs = *std::exchange(made_, std::nullopt);
  asked_ = next;
  changed_.notify_all();
  return pairs;
}

void BatchAhead::work(int threads) {
  set_threads(threads);  // each thread of the program has a number of its own
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stops_ || (asked_ && !made_ && !fault_); });
    if (stops_) return;
    const std::int64_t first = *asked_;
    lock.unlock();
    std::optional<Pairs> made;
    std::exception_ptr fault;
    try {
      made = source_.batch(first, count_);
    } catch (...) {
      fault = std::current_exception();
    }
    lock.lock();
    made_ = std::move(made);
    fault_ = fault;
    changed_.notify_all();
  }
}

}  // namespace mend
