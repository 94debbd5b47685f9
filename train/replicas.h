// Processes that train one network together, data parallel: each has a copy of it, a replica, and takes its
// share of every batch; the gradients are averaged, so that all copies take the same step.
//
//   rank 0   pairs ─ forward, loss, backward ─┐                 ┌─ step   writes files, speaks
//   rank 1   pairs ─ forward, loss, backward ─┴─ Σ gradients ───┴─ step
//
// The interface holds what a training needs of them, in a process of its own (alone()) or over MPI
// (train/mpi/mpi_replicas.cpp). Numbers of a GPU pass through the host's memory, or between GPUs (train/joined_gpus.h).
//
// All calls but rank() and size() are collective: every rank makes the same ones in the same order. So an
// error on one rank must not leave the others waiting: what can fail runs in together(), after which it has
// failed everywhere.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "engine/error.h"

namespace mend {

class Replicas {
 public:
  Replicas() = default;
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;
  virtual ~Replicas() = default;

  virtual int rank() const = 0;  ///< in [0, size())
  virtual int size() const = 0;
  bool leads() const { return rank() == 0; }
  /// Among the ranks of the same machine.
  virtual int local_rank() const { return rank(); }

  /// values[i] <- Σ values[i] over all ranks, the same bits on each. Returns at once; the values are not
  /// to be touched before finish_sums().
  virtual void start_sum(std::span<float> values) = 0;
  /// Gives the sums that are under way a moment of this thread; not collective.
  virtual void advance() = 0;
  virtual void finish_sums() = 0;
  /// The same at once, for a few numbers.
  virtual void sum(std::span<double> values) = 0;
  /// Rank 0's bytes to all.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  /// Ends the processes of all ranks, for errors that they could not meet about. Not collective.
  [[noreturn]] virtual void abort(ExitCode code) = 0;

  /// Whether it is true on any rank.
  bool any(bool here);
  /// The mean over all ranks.
  double mean(double here);
  /// Waits for all ranks, and throws on each if `fault` is one on any: the fault itself on the lowest such
  /// rank, StoppedElsewhere on the others; Interrupted everywhere if the fault is that.
  void meet(const std::exception_ptr& fault);
  /// Does `work` and meets about what it throws.
  void together(const std::function<void()>& work);
  /// Does `work` on rank 0 alone, the same way.
  void lead(const std::function<void()>& work);
  /// Throws UsageError unless the bytes are those of rank 0; `what` they are, for the message.
  void check_same(std::span<const std::byte> bytes, const std::string& what);

  /// Whether meet() threw: then all ranks are on their way out.
  bool parted() const { return parted_; }

 private:
  bool parted_ = false;
};

/// Another rank has failed, and says why; this one ends with the same code.
class StoppedElsewhere : public Error {
 public:
  explicit StoppedElsewhere(ExitCode code) : Error(code, "another rank has failed") {}
};

/// One process, of rank 0: nothing is sent.
std::shared_ptr<Replicas> alone();

/// The processes that mpirun or srun started together with this one, or this one alone. MPI is loaded only
/// if there are others. Throws UsageError if there are and this build has no MPI, or another one than the
/// launcher's: the processes would write over each other's files.
std::shared_ptr<Replicas> launched_replicas();

/// Where the part of the program lies that speaks MPI; empty if there is none.
std::string mpi_module();

}  // namespace mend
