#include "engine/row_chain.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "engine/parallel.h"

namespace mend::op {
namespace {

Tensor find(const RowPlace& place, Inputs inputs, const std::shared_ptr<Storage>& memory) {
  Tensor rows;
  if (place.input >= 0) {
    rows = inputs[static_cast<std::size_t>(place.input)];
    if (!place.rows.empty())
      rows = rows.crop(place.rows.begin, 0, place.rows.count(), rows.shape().w);
  } else if (place.offset >= 0) {
    rows = Tensor::within(memory, place.offset, place.shape, place.dtype);
  }
  for (const AnyOp& view : place.views) rows = view.view(rows).value();
  return rows;
}

void run_strip(const RowSchedule& schedule, const Strip& strip, Inputs inputs, const Tensor& y,
               Scratch scratch) {
  Storage storage(scratch.data(), scratch.size(), cpu(), nullptr);
  const std::shared_ptr<Storage> memory(std::shared_ptr<void>(), &storage);  // owns nothing
  const Scratch rest = scratch.subspan(static_cast<std::size_t>(schedule.buffer_bytes));
  std::array<Tensor, RowChain::kMostInputs> operands;
  for (const RowCall& call : strip) {
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      operands[i] = find(call.inputs[i], inputs, memory);
    }
    if (call.move_bytes > 0) {
      std::memmove(scratch.data() + call.move_to, scratch.data() + call.move_from,
                   static_cast<std::size_t>(call.move_bytes));
    }
    const Tensor rows = call.y.offset >= 0
                            ? find(call.y, inputs, memory)
                            : y.crop(call.out.begin, 0, call.out.count(), y.shape().w);
    call.part.op.forward(Inputs(operands.data(), call.inputs.size()), rows, rest);
  }
}

}  // namespace

Shape RowChain::shape(const Shapes&) const {
  const Graph& graph = schedule->graph;
  return graph.values[graph.outputs[0]].shape;
}

DType RowChain::dtype() const {
  const Graph& graph = schedule->graph;
  return graph.values[graph.outputs[0]].dtype;
}

Cost RowChain::cost(const Shapes&) const {
  const Graph& graph = schedule->graph;
  std::int64_t bytes = graph.values[graph.outputs[0]].bytes();
  for (const int input : graph.inputs) bytes += graph.values[input].bytes();
  return {graph.cost().flops, static_cast<double>(bytes)};
}

Footprint RowChain::footprint(const Shapes&) const {
  return schedule->graph.footprint(schedule->images);
}

std::string RowChain::describe() const {
  std::string steps;
  for (const Step& step : schedule->graph.steps) {
    if (step.op.is_view()) continue;
    steps += fmt::format("{}{} {}", steps.empty() ? "" : ", ", step.op.name(), step.op.describe());
  }
  return fmt::format("{} rows at a time: {}", schedule->band, steps);
}

std::int64_t RowChain::scratch_bytes(const Shapes&) const {
  return schedule->strip_bytes * static_cast<std::int64_t>(schedule->strips.size());
}

void RowChain::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto bytes = static_cast<std::size_t>(schedule->strip_bytes);
  parallel_for(static_cast<std::int64_t>(schedule->strips.size()), [&](std::int64_t s, int) {
    const auto strip = static_cast<std::size_t>(s);
    run_strip(*schedule, schedule->strips[strip], inputs, y, scratch.subspan(strip * bytes, bytes));
  });
}

}  // namespace mend::op
