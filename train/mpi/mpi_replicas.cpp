// Replicas over MPI. A module of its own, mend_mpi.so, which the program loads when mpirun has started
// several of it: so that nobody else waits for MPI's libraries to load.
//
// Sums do not wait (MPI_Iallreduce, MPI 3.0 section 5.12), but most builds of MPI go on with them only
// while a call of theirs runs: advance() is such a call, between the steps of the plan.
#include <mpi.h>

#include <climits>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "train/replicas.h"

namespace mend {
namespace {

// MPI ends all processes, and says why, when one of its calls fails (MPI_ERRORS_ARE_FATAL).
class MpiReplicas final : public Replicas {
 public:
  MpiReplicas() {
    int provided = 0;  // all calls come from one thread
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm neighbours = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &neighbours);
    MPI_Comm_rank(neighbours, &local_rank_);
    MPI_Comm_free(&neighbours);
  }
  ~MpiReplicas() override { MPI_Finalize(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  void start_sum(std::span<float> values) override {
    for (std::size_t first = 0; first < values.size(); first += kMost) {
      const std::span<float> part =
          values.subspan(first).first(std::min(kMost, values.size() - first));
      MPI_Iallreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), MPI_FLOAT, MPI_SUM,
                     MPI_COMM_WORLD, &pending_.emplace_back());
    }
  }
  void advance() override {
    int done = 0;
    MPI_Testall(static_cast<int>(pending_.size()), pending_.data(), &done, MPI_STATUSES_IGNORE);
    if (done != 0) pending_.clear();
  }
  void finish_sums() override {
    MPI_Waitall(static_cast<int>(pending_.size()), pending_.data(), MPI_STATUSES_IGNORE);
    pending_.clear();
  }
  void sum(std::span<double> values) override {
    MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_DOUBLE, MPI_SUM,
                  MPI_COMM_WORLD);
  }
  void broadcast(std::span<std::byte> bytes) override {
    for (std::size_t first = 0; first < bytes.size(); first += kMost) {
      const auto count = static_cast<int>(std::min(kMost, bytes.size() - first));
      MPI_Bcast(bytes.data() + first, count, MPI_BYTE, 0, MPI_COMM_WORLD);
    }
  }
  void abort(ExitCode code) override {
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
    std::abort();  // MPI_Abort does not say that it never returns
  }

 private:
  static constexpr std::size_t kMost = std::size_t{1} << 30;  // MPI counts in int

  int rank_ = 0, size_ = 1, local_rank_ = 0;
  std::vector<MPI_Request> pending_;
};

}  // namespace
}  // namespace mend

extern "C" mend::Replicas* mend_start_mpi() { return new mend::MpiReplicas; }
