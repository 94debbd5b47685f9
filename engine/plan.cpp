#include "engine/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "engine/cache.h"
#include "engine/cancel.h"
#include "engine/error.h"
#include "engine/ladder.h"
#include "engine/log.h"
#include "engine/parallel.h"
#include "engine/row_chain.h"

namespace mend {
namespace {

void copy_pixels(const Tensor& from, const Tensor& to) {
  const View<const float> x = from.view<const float>();
  const View<float> y = to.view<float>();
  const Shape& s = x.shape;
  parallel_for(std::int64_t{s.n} * s.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / s.h), h = static_cast<int>(row % s.h);
    for (int w = 0; w < s.w; ++w) std::copy_n(x.pixel(n, h, w), s.c, y.pixel(n, h, w));
  });
}

}  // namespace

Tensor HostCopies::place(std::size_t i, const Shape& shape, DType dtype) {
  if (places_.size() <= i) places_.resize(i + 1);
  if (!places_[i]) {
    const auto bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
    std::shared_ptr<void> memory = device_.allocate_staging(bytes);
    void* const address = memory.get();
    places_[i] = Tensor::within(std::make_shared<Storage>(address, bytes, cpu(), std::move(memory)),
                                0, shape, dtype);
  }
  return places_[i];
}

std::int64_t SideBySide::bytes(const Shape& shape, DType dtype) {
  constexpr std::int64_t kAlignment = 64;  // as that of an allocation
  const std::int64_t bytes = shape.elements() * static_cast<std::int64_t>(size_of(dtype));
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

SideBySide::SideBySide(std::int64_t bytes)
    : memory_(std::make_shared<Storage>(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)),
                                        cpu())) {}

Tensor SideBySide::next(const Shape& shape, DType dtype) {
  const std::int64_t offset = std::exchange(used_, used_ + bytes(shape, dtype));
  return Tensor::within(memory_, offset, shape, dtype);
}

Plan::Plan(const Network& network, const Shapes& inputs, std::shared_ptr<ConstantCache> constants,
           const PlanOptions& options)
    : device_(options.device),
      traced_(trace(network, inputs)),
      graph_(traced_),
      threads_(threads()),
      records_(options.records && options.device->kind() != DeviceKind::kCpu),
      constants_(constants ? std::move(constants) : std::make_shared<ConstantCache>()),
      takes_loan_(options.lent),
      lent_(inputs.size()),
      sent_(*device_),
      fetched_(*device_),
      is_sending_(inputs.size()) {
  const DeviceKind kind = device_->kind();
  const bool on_cpu = kind == DeviceKind::kCpu;
  fuse(graph_, kind);
  if (options.calibration != nullptr) quantize(graph_, *options.calibration);
  if (!on_cpu && options.narrow) narrow(graph_, *options.narrow);
  if (!on_cpu) pair_steps(graph_, kind);
  lower(graph_, kind);
  constant_steps_ = hoist_constants(graph_);
  for (const Step& step : graph_.steps) check_runs_on(step.op, *device_, step.label);
  if (options.late_reads == LateReads::kRecomputed) recompute(graph_);
  const std::string chains = forced_variant(op::RowChain::kName);
  if (on_cpu && options.narrow) narrow_rows(graph_, *options.narrow);
  if (on_cpu && chains != "never") {
    chain_rows(graph_, chains == "always" ? 0 : l2_cache_bytes(), threads_);
  }
  homes_ = find_homes(graph_);
  for (const Step& step : graph_.steps) {
    const Shapes in = graph_.shapes(step.inputs);
    scratch_bytes_.push_back(on_cpu ? step.op.scratch_bytes(in) : 0);
  }
  std::vector<int> elsewhere;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (is_lent(static_cast<int>(i))) elsewhere.push_back(graph_.inputs[i]);
  }
  placement_ = place(graph_, homes_, scratch_bytes_, elsewhere);
}

std::int64_t Plan::constant_bytes() const {
  std::set<int> read;
  for (const Step& step : graph_.steps) read.insert(step.inputs.begin(), step.inputs.end());
  std::int64_t bytes = 0;
  for (const int value : read) {
    if (value == kNoValue || !graph_.values[value].is_constant) continue;
    bytes += graph_.values[value].bytes();
  }
  return bytes;
}

void Plan::prepare() {
  if (arena_ == nullptr) {
    compute_constants();
    arena_ = std::make_shared<Storage>(
        static_cast<std::size_t>(std::max<std::int64_t>(placement_.arena_bytes, 1)), *device_);
  }
  if (!is_bound_) bind();
}

Tensor Plan::on_device(const Tensor& constant) {
  if (!constant || &constant.device() == device_) return constant;
  const std::string key = fmt::format("{} {}{}", device_->name(), fmt::ptr(constant.address()),
                                      to_string(constant.shape()));
  Tensor& cached = (*constants_)[key];
  if (!cached) {
    cached = constant.on(*device_);
    (*constants_)[key + " of"] = constant;  // as long as it lives, its address names it alone
  }
  return cached;
}

std::string Plan::constant_key(const Step& step) const {
  // What only the CPU can do is done there, once.
  const Device& device = step.op.runs_on(device_->kind()) ? *device_ : cpu();
  std::string key = fmt::format("{} {} {}", step.op.name(), step.op.describe(), device.name());
  for (const int input : step.inputs) {
    const Tensor constant = input == kNoValue ? Tensor() : graph_.values[input].constant;
    // The pixels' address names the constant: it lives as long as the network does.
    const void* address = constant ? constant.address() : nullptr;
    key += fmt::format(" {}{}", fmt::ptr(address), to_string(constant.shape()));
  }
  return key;
}

Tensor Plan::compute_constant(const Step& step, SideBySide& memory) {
  const bool runs_here = step.op.runs_on(device_->kind());
  std::vector<Tensor> inputs;
  for (const int input : step.inputs) {
    Tensor& x = inputs.emplace_back();
    if (input == kNoValue) continue;
    const Tensor& constant = graph_.values[input].constant;
    x = runs_here ? on_device(constant) : constant.on(cpu());
  }
  if (step.op.is_view() || device_ != &cpu()) return mend::apply(step.op, inputs);
  Tensor y = memory.next(graph_.values[step.output].shape, graph_.values[step.output].dtype);
  apply_into(step.op, inputs, y);
  return y;
}

void Plan::compute_constants() {
  std::vector<const Step*> missing;  // in the cache
  std::set<int> missing_values;
  std::int64_t bytes = 0;
  for (const Step& step : constant_steps_) {
    const bool waits = std::any_of(step.inputs.begin(), step.inputs.end(),
                                   [&](int input) { return missing_values.contains(input); });
    const auto cached = waits ? constants_->end() : constants_->find(constant_key(step));
    Value& value = graph_.values[step.output];
    if (cached != constants_->end()) {
      value.constant = cached->second;
      continue;
    }
    missing.push_back(&step);
    missing_values.insert(step.output);
    if (!step.op.is_view()) bytes += SideBySide::bytes(value.shape, value.dtype);
  }
  SideBySide memory(device_->kind() == DeviceKind::kCpu ? bytes : 0);
  for (const Step* step : missing) {
    const std::string key = constant_key(*step);
    if (!constants_->contains(key)) constants_->emplace(key, compute_constant(*step, memory));
    graph_.values[step->output].constant = constants_->at(key);
  }
}

void Plan::bind() {
  tensors_.assign(graph_.values.size(), {});
  step_inputs_.clear();
  const auto in_arena = [&](int value) {
    const Home home = homes_[value];
    const Tensor buffer =
        Tensor::within(arena_, placement_.buffer_offset[home.buffer],
                       graph_.values[home.buffer].shape, graph_.values[home.buffer].dtype);
    return buffer.channels(home.first_channel, graph_.values[value].shape.c);
  };
  for (std::size_t v = 0; v < tensors_.size(); ++v) {
    tensors_[v] = on_device(graph_.values[v].constant);
  }
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
    const int input = graph_.inputs[i];
    if (placement_.buffer_offset[input] >= 0) tensors_[input] = in_arena(input);
    if (!is_lent(static_cast<int>(i))) continue;
    if (!lent_[i]) {
      throw UsageError(fmt::format("the plan reads input {} where it lies, and was lent none", i));
    }
    tensors_[input] = lent_[i];
  }
  for (const Step& step : graph_.steps) {
    tensors_[step.output] =
        step.op.is_view() ? step.op.view(tensors_[step.inputs[0]]).value() : in_arena(step.output);
    std::vector<Tensor>& inputs = step_inputs_.emplace_back();
    for (const int input : step.inputs) {
      inputs.push_back(input == kNoValue ? Tensor() : tensors_[input]);
    }
  }
  is_bound_ = true;
}

Tensor Plan::input(int i) {
  prepare();
  return tensors_[graph_.inputs[i]];
}

Tensor Plan::output(int i) {
  prepare();
  return tensors_[graph_.outputs[i]];
}

void Plan::check_shape(int i, const Tensor& x) const {
  const Shape& made_for = graph_.values[graph_.inputs[i]].shape;
  if (x.shape() == made_for) return;
  throw ShapeError(fmt::format("the plan was made for input {} of shape {} and cannot run on {}", i,
                               to_string(made_for), to_string(x.shape())));
}

void Plan::lend_input(int i, const Tensor& x) {
  check_shape(i, x);
  if (!is_lent(i) || !x.dense() || &x.device() != device_) {
    throw UsageError(fmt::format("the plan cannot read input {} where it lies: {}", i,
                                 !is_lent(i)  ? "it was made to copy it"
                                 : !x.dense() ? "it is a slice"
                                              : fmt::format("it must lie on {}", device_->name())));
  }
  Tensor& lent = lent_[static_cast<std::size_t>(i)];
  if (lent && lent.address() == x.address()) return;
  lent = x;
  is_bound_ = false;
  if (recording_ == nullptr) return;
  recording_.reset();  // it has the address of the tensor before
  records_ = true;
}

void Plan::set_input(int i, const Tensor& x) {
  check_shape(i, x);
  if (is_lent(i)) {
    throw UsageError(fmt::format("the plan reads input {} where it lies; lend it", i));
  }
  const Tensor place = input(i);
  if (device_->kind() == DeviceKind::kCpu) return copy_pixels(x, place);
  const auto slot = static_cast<std::size_t>(i);
  if (is_sending_[slot]) wait();
  const Tensor staged = sent_.place(slot, place.shape(), place.dtype());
  copy_pixels(x, staged);
  device_->copy_later(place.storage()->data() + placement_.buffer_offset[graph_.inputs[slot]],
                      staged.address(), static_cast<std::size_t>(staged.bytes()));
  is_sending_[slot] = true;
}

void Plan::wait() {
  device_->synchronize();
  is_sending_.assign(is_sending_.size(), false);
}

Tensors Plan::results(int first, int last) {
  Tensors results;
  results_later(first, last, results);
  wait();
  return results;
}

void Plan::results_later(int first, int last, Tensors& results) {
  results.clear();
  for (int i = first; i < last; ++i) {
    const Tensor made = output(i);
    if (device_->kind() == DeviceKind::kCpu) {
      results.push_back(made);
      continue;
    }
    const Tensor dense = made.dense() ? made : made.clone();
    results.push_back(fetched_.place(static_cast<std::size_t>(i), made.shape(), made.dtype()));
    device_->copy_later(results.back().storage()->data(), dense.address(),
                        static_cast<std::size_t>(dense.bytes()));
  }
}

void Plan::check_threads() const {
  if (device_->kind() == DeviceKind::kCpu && threads() > threads_) {
    throw UsageError(
        fmt::format("the plan was made for {} threads and cannot run on {}", threads_, threads()));
  }
}

void Plan::run_step(std::size_t s) {
  check_cancel();
  const Step& step = graph_.steps[s];
  if (step.op.is_view()) return;
  Scratch scratch;
  if (scratch_bytes_[s] > 0) {
    scratch = {arena_->data() + placement_.scratch_offset[s],
               static_cast<std::size_t>(scratch_bytes_[s])};
  }
  step.op.forward(step_inputs_[s], tensors_[step.output], scratch);
}

void Plan::run(const std::function<void(int done, int all)>& progress) {
  prepare();
  check_threads();
  device_->make_current();
  const int all = static_cast<int>(graph_.steps.size());
  if (records_ && ran_) record();
  if (recording_ != nullptr) {
    check_cancel();
    recording_->replay();
    if (progress) progress(all, all);
    return;
  }
  for (int s = 0; s < all; ++s) {
    run_step(static_cast<std::size_t>(s));
    if (progress) progress(s + 1, all);
  }
  ran_ = true;
}

void Plan::record() {
  Recorded recorded = device_->record([this] {
    for (std::size_t s = 0; s < graph_.steps.size(); ++s) {
      try {
        run_step(s);
      } catch (const NotRecordable& error) {
        const Step& step = graph_.steps[s];
        throw NotRecordable(fmt::format("{} ({}): {}", step.label, step.op.name(), error.what()));
      }
    }
  });
  records_ = false;  // a refusal stands, and is said once
  recording_ = std::move(recorded.recording);
  detail(recording_ != nullptr
             ? fmt::format("{} steps run as {}", graph_.steps.size(), recording_->describe())
             : fmt::format("{} steps run one by one: {}", graph_.steps.size(), recorded.refusal));
}

std::vector<StepTime> Plan::run_timed() {
  prepare();
  check_threads();
  device_->make_current();
  std::vector<StepTime> times;
  for (std::size_t s = 0; s < graph_.steps.size(); ++s) {
    const auto start = std::chrono::steady_clock::now();
    run_step(s);
    device_->synchronize();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const Step& step = graph_.steps[s];
    times.push_back({step.label, std::string(step.op.name()), elapsed.count()});
  }
  return times;
}

std::vector<Tensor> Plan::operator()(const std::vector<Tensor>& inputs) {
  if (inputs.size() != graph_.inputs.size()) {
    throw UsageError(fmt::format("the plan was made for {} inputs and cannot run on {}",
                                 graph_.inputs.size(), inputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) set_input(static_cast<int>(i), inputs[i]);
  run();
  Tensors outputs = results(0, static_cast<int>(graph_.outputs.size()));
  for (Tensor& output : outputs) output = output.clone();
  return outputs;
}

void Plan::poison() {
  prepare();
  device_->fill(arena_->data(), 0xFF, arena_->bytes());  // all bits set is a NaN
}

}  // namespace mend
