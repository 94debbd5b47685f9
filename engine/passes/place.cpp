#include <algorithm>

#include "engine/passes.h"

namespace mend {
namespace {

/// A piece of memory that is needed from step `first` to step `last`, both included.
struct Block {
  std::int64_t bytes = 0;
  int first = 0, last = -1;
  std::int64_t* offset = nullptr;

  bool alive_with(const Block& other) const { return first <= other.last && other.first <= last; }
  void needed_at(int step) {
    if (last < first) first = last = step;
    first = std::min(first, step);
    last = std::max(last, step);
  }
};

constexpr std::int64_t kAlignment = 64;

std::int64_t align(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// The lowest offset at which `block` meets no placed block that is alive at the same time.
std::int64_t lowest_free_offset(const Block& block, const std::vector<Block>& placed) {
  std::vector<const Block*> neighbours;
  for (const Block& other : placed) {
    if (block.alive_with(other)) neighbours.push_back(&other);
  }
  std::sort(neighbours.begin(), neighbours.end(),
            [](const Block* a, const Block* b) { return *a->offset < *b->offset; });
  std::int64_t offset = 0;
  for (const Block* other : neighbours) {
    if (offset + block.bytes <= *other->offset) break;
    offset = std::max(offset, align(*other->offset + other->bytes));
  }
  return offset;
}

/// For each value the buffer that its pixels lie in, through homes and views; kNoValue: constant.
std::vector<int> buffers_of(const Graph& graph, const std::vector<Home>& homes) {
  std::vector<int> buffer(graph.values.size(), kNoValue);
  for (const int input : graph.inputs) buffer[input] = input;
  for (const Step& step : graph.steps) {
    buffer[step.output] = step.op.is_view() ? buffer[step.inputs[0]] : homes[step.output].buffer;
  }
  return buffer;
}

}  // namespace

Placement place(const Graph& graph, const std::vector<Home>& homes,
                const std::vector<std::int64_t>& scratch_bytes, const std::vector<int>& elsewhere) {
  const int end = static_cast<int>(graph.steps.size());
  const std::vector<int> buffer = buffers_of(graph, homes);
  std::vector<Block> buffers(graph.values.size());
  const auto needed_at = [&](int value, int step) {
    if (value != kNoValue && buffer[value] != kNoValue) buffers[buffer[value]].needed_at(step);
  };
  for (const int input : graph.inputs) needed_at(input, -1);
  for (int s = 0; s < end; ++s) {
    for (const int input : graph.steps[s].inputs) needed_at(input, s);
    needed_at(graph.steps[s].output, s);
  }
  for (const int output : graph.outputs) needed_at(output, end);
  for (const int value : elsewhere) buffers[value] = {};

  Placement placement;
  placement.buffer_offset.assign(graph.values.size(), -1);
  placement.scratch_offset.assign(graph.steps.size(), -1);
  std::vector<Block> blocks;
  for (std::size_t v = 0; v < buffers.size(); ++v) {
    Block& block = buffers[v];
    if (block.last < block.first) continue;
    block.bytes = graph.values[v].bytes();
    block.offset = &placement.buffer_offset[v];
    blocks.push_back(block);
  }
  for (int s = 0; s < end; ++s) {
    if (scratch_bytes[s] == 0) continue;
    blocks.push_back({scratch_bytes[s], s, s, &placement.scratch_offset[s]});
  }

  // Largest first leaves the small ones to fill the gaps.
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const Block& a, const Block& b) { return a.bytes > b.bytes; });
  std::vector<Block> placed;
  for (const Block& block : blocks) {
    *block.offset = lowest_free_offset(block, placed);
    placement.arena_bytes = std::max(placement.arena_bytes, align(*block.offset + block.bytes));
    placed.push_back(block);
  }
  return placement;
}

}  // namespace mend
