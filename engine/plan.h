// A plan: a network made ready to run many times on inputs of one shape.
//
// It is traced from the network's eager code, rewritten by the passes of engine/passes.h, and knows
// its footprint, FLOPs, bytes and memory before it runs. A run allocates nothing: every tensor has
// its place in one arena. Eager execution is the oracle: a plan gives the same numbers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/passes.h"
#include "engine/trace.h"

namespace mend {

/// Repacked constants that plans of one network for different shapes share.
using ConstantCache = std::map<std::string, Tensor>;

/// Memory for tensors that live as long as each other, one after the other: an allocation of each would be too small
/// for the huge pages of engine/device.cpp, and a network reads hundreds of MB of packed weights from cover to cover.
class SideBySide {
 public:
  static std::int64_t bytes(const Shape& shape, DType dtype);
  /// For the sum of the bytes of all of them.
  explicit SideBySide(std::int64_t bytes);
  Tensor next(const Shape& shape, DType dtype);

 private:
  std::shared_ptr<Storage> memory_;
  std::int64_t used_ = 0;
};

/// How long one step of a plan took, for the profiler.
struct StepTime {
  std::string label, op;
  double seconds = 0;
};

/// A tensor's copy in the host's memory that a device writes, or reads, by itself.
class HostCopies {
 public:
  explicit HostCopies(Device& device) : device_(device) {}

  /// Place number `i`, of this shape and type, in memory that stays where it is.
  Tensor place(std::size_t i, const Shape& shape, DType dtype);

 private:
  Device& device_;
  Tensors places_;
};

/// What becomes of results that are read again much later, as gradients read the forward pass.
enum class LateReads { kKept, kRecomputed };

/// How a plan runs, besides the network and the shapes.
struct PlanOptions {
  /// The steps that it names run on 8-bit integers; it must live as long as the constants.
  const Calibration* calibration = nullptr;
  /// With kRecomputed a gradient takes less memory, and up to one more forward pass; the same bits.
  LateReads late_reads = LateReads::kKept;
  /// Where it runs; the network's constants may lie in the host's memory, where they stay.
  Device* device = &cpu();
  /// Keeps images between the steps in f16 or bf16.
  std::optional<NarrowImages> narrow = {};
  /// By input: those that the plan reads where they lie, and has no memory for; see Plan::lend_input. Inputs
  /// beyond the end of this are copied.
  std::vector<bool> lent = {};
  /// On a GPU the second run is recorded, and from then on a run is one launch; the same bits.
  bool records = true;
};

class Plan {
 public:
  /// Traces `network` on inputs of these shapes. Reads no pixels and allocates no arena yet.
  /// Throws ShapeError if the network cannot take the shapes, UsageError if one of its operations does not run
  /// on the device.
  Plan(const Network& network, const Shapes& inputs,
       std::shared_ptr<ConstantCache> constants = nullptr, const PlanOptions& options = {});

  Device& device() const { return *device_; }
  /// Where to put input i before a run, and where to find output i until the next run; on the device.
  Tensor input(int i);
  Tensor output(int i);
  int outputs() const { return static_cast<int>(graph_.outputs.size()); }
  /// Copies `x`, in the host's memory, into input i. Throws ShapeError, or UsageError for a lent one.
  void set_input(int i, const Tensor& x);
  /// Input i, one of PlanOptions::lent, is `x` from now on, read where it lies: dense, on the plan's device.
  /// Its numbers may change between runs; with another tensor the plan's steps are bound anew, and
  /// recorded anew. All of them must
  /// be lent before another input is set. Throws ShapeError, or UsageError if `x` cannot be read so.
  void lend_input(int i, const Tensor& x);
  /// Outputs [first, last) in the host's memory, until the next run: themselves on a CPU, copies of a GPU's,
  /// always at the same places.
  Tensors results(int first, int last);
  /// The same in place of what `results` has, but a GPU may still be busy with them: they are there after wait().
  void results_later(int first, int last, Tensors& results);
  /// Until the device has done all that it was given.
  void wait();
  /// Computes the outputs from the inputs. `progress`, if given, is told after each step how many are
  /// done, of how many; of a recording, once, when all are given to the GPU. check_cancel() is called as often.
  void run(const std::function<void(int done, int all)>& progress = {});
  /// What a run replays; null on a CPU, before the second run, and where the device could not record it.
  const Recording* recording() const { return recording_.get(); }
  /// As run(), step by step, and notes the seconds of each.
  std::vector<StepTime> run_timed();
  /// Copies the inputs in, runs, and returns copies of the outputs.
  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs);

  /// The steps as they run, and as they were traced.
  const Graph& graph() const { return graph_; }
  const Graph& traced() const { return traced_; }
  Cost cost() const { return traced_.cost(); }
  /// What one output pixel can see by the network's formulas.
  Footprint footprint() const { return traced_.footprint(); }
  /// What its last bits depend on: rungs that compute outputs in squares see a little more.
  Footprint executed_footprint() const { return graph_.footprint(); }
  /// Memory of a run: the arena with inputs, outputs, everything between, and scratch.
  std::int64_t arena_bytes() const { return placement_.arena_bytes; }
  /// Parameters as they are used, repacked ones at their packed size.
  std::int64_t constant_bytes() const;

  /// Fills the arena with NaN, so that a read of something never written shows (for tests).
  void poison();

 private:
  void prepare();
  void compute_constants();
  /// What names the constant that a step makes.
  std::string constant_key(const Step& step) const;
  Tensor compute_constant(const Step& step, SideBySide& memory);
  bool is_lent(int i) const { return i < static_cast<int>(takes_loan_.size()) && takes_loan_[i]; }
  void check_shape(int i, const Tensor& x) const;
  void bind();
  void check_threads() const;
  /// A constant where the plan runs.
  Tensor on_device(const Tensor& constant);
  void run_step(std::size_t step);
  /// Has the device note the steps, if it can; else runs go on step by step.
  void record();

  Device* device_;
  Graph traced_, graph_;
  std::vector<Step> constant_steps_;
  std::vector<Home> homes_;
  Placement placement_;
  std::vector<std::int64_t> scratch_bytes_;
  int threads_;
  bool records_;
  std::shared_ptr<ConstantCache> constants_;
  std::vector<bool> takes_loan_;  // by input
  Tensors lent_;

  // Filled by prepare(), on first use.
  std::shared_ptr<Storage> arena_;
  std::vector<Tensor> tensors_;                   // by value
  std::vector<std::vector<Tensor>> step_inputs_;  // by step
  bool is_bound_ = false;                         // whether both are filled

  // What is under way between the host and a GPU.
  HostCopies sent_, fetched_;
  std::vector<bool> is_sending_;  // by input, since the device was last waited for

  bool ran_ = false;  // step by step, so that kernels are loaded and working memory is there
  std::unique_ptr<Recording> recording_;
};

}  // namespace mend
