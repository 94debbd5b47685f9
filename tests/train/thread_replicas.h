// Replicas that are threads of one process.
#pragma once

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "train/replicas.h"

namespace mend::test {

/// What the threads share.
struct Meeting {
  explicit Meeting(int count) : size(count), all(count), floats(count), doubles(count) {}
  int size;
  std::barrier<> all;
  std::vector<std::span<float>> floats;
  std::vector<std::span<double>> doubles;
  std::span<std::byte> first;
};

class ThreadReplica final : public Replicas {
 public:
  ThreadReplica(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return meeting_.size; }
  void start_sum(std::span<float> values) override { add_up(meeting_.floats, values); }
  void advance() override {}
  void finish_sums() override {}
  void sum(std::span<double> values) override { add_up(meeting_.doubles, values); }
  void broadcast(std::span<std::byte> bytes) override {
    if (rank_ == 0) meeting_.first = bytes;
    meeting_.all.arrive_and_wait();
    if (rank_ != 0) std::copy(meeting_.first.begin(), meeting_.first.end(), bytes.begin());
    meeting_.all.arrive_and_wait();
  }
  void abort(ExitCode) override { std::abort(); }

 private:
  template <class Number>
  void add_up(std::vector<std::span<Number>>& given, std::span<Number> values) {
    given[rank_] = values;
    meeting_.all.arrive_and_wait();
    std::vector<Number> sums(values.size(), 0);
    for (const std::span<Number>& of_rank : given) {
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += of_rank[i];
    }
    meeting_.all.arrive_and_wait();
    std::copy(sums.begin(), sums.end(), values.begin());
    meeting_.all.arrive_and_wait();
  }

  Meeting& meeting_;
  int rank_;
};

/// Does `work` on each of `size` replicas, and returns what it threw, by rank.
inline std::vector<std::string> on_replicas(
    int size, const std::function<void(const std::shared_ptr<Replicas>&)>& work) {
  Meeting meeting(size);
  std::vector<std::string> thrown(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        work(std::make_shared<ThreadReplica>(meeting, rank));
      } catch (const std::exception& error) {
        thrown[static_cast<std::size_t>(rank)] = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return thrown;
}

}  // namespace mend::test
