#include "engine/op.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "engine/trace.h"

namespace mend {

Shapes shapes_of(Inputs inputs) {
  Shapes shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  return shapes;
}

void check_runs_on(const AnyOp& op, const Device& device, const std::string& label) {
  if (op.runs_on(device.kind())) return;
  throw UsageError(fmt::format("{}{}{} has no kernel for a GPU yet; use --device cpu", label,
                               label.empty() ? "" : ": ", op.name()));
}

namespace {

/// Where the inputs lie, and so y will.
Device& device_of(Inputs inputs) {
  for (const Tensor& input : inputs) {
    if (input.storage() != nullptr) return input.device();
  }
  return cpu();
}

/// Runs `op` on plain tensors, or takes the view of them that it is.
Tensor run(const AnyOp& op, Inputs inputs) {
  if (op.is_view()) {
    if (std::optional<Tensor> y = op.view(inputs[0])) return *y;
  }
  Tensor y = Tensor::empty(op.shape(shapes_of(inputs)), op.dtype(), device_of(inputs));
  apply_into(op, inputs, y);
  return y;
}

Tensor run_or_trace(const AnyOp& op, Inputs inputs) {
  for (const Tensor& input : inputs) {
    if (input.is_placeholder()) return input.trace()->record(op, inputs);
  }
  return run(op, inputs);
}

}  // namespace

void apply_into(const AnyOp& op, Inputs inputs, Tensor& y) {
  Device& device = y.device();
  check_runs_on(op, device);
  device.make_current();
  const std::int64_t bytes =
      device.kind() == DeviceKind::kCpu ? op.scratch_bytes(shapes_of(inputs)) : 0;
  if (bytes > 0) {
    const auto storage = std::make_shared<Storage>(static_cast<std::size_t>(bytes), device);
    op.forward(inputs, y, {storage->data(), storage->bytes()});
  } else {
    op.forward(inputs, y, {});
  }
}

Tensor apply(const AnyOp& op, Inputs inputs) {
  const Tensor y = run_or_trace(op, inputs);
  for (const Tensor& input : inputs) {
    if (input.tape()) return input.tape()->record(op, inputs, y);
  }
  return y;
}

}  // namespace mend
