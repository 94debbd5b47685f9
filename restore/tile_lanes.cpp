#include "restore/tile_lanes.h"

#include <cassert>

namespace mend {
namespace {

Tensor tensor_at(std::byte* memory, const Shape& shape) {
  const auto bytes = static_cast<std::size_t>(shape.elements()) * sizeof(float);
  return Tensor::within(std::make_shared<Storage>(memory, bytes, cpu(), nullptr), 0, shape);
}

std::size_t bytes_of(const Tensor& x) { return static_cast<std::size_t>(x.bytes()); }

}  // namespace

void TileLanes::start(Plan& plan, const Fill& fill) {
  assert(started_ - finished_ < lanes_.size());
  Lane& lane = lanes_[started_++ % lanes_.size()];
  const Tensor x = plan.input(0);
  if (lane.upload_bytes < bytes_of(x)) {
    lane.upload = device_.make_upload(lane.upload_bytes = bytes_of(x));
  }
  fill(tensor_at(lane.upload->host(), x.shape()));
  lane.upload->send(const_cast<void*>(x.address()), bytes_of(x));
  plan.run();
  const Tensor made = plan.output(0), y = made.dense() ? made : made.clone();
  if (lane.download_bytes < bytes_of(y)) {
    lane.download = device_.make_download(lane.download_bytes = bytes_of(y));
  }
  lane.download->fetch(y.address(), bytes_of(y));
  lane.result = y.shape();
}

Tensor TileLanes::finish() {
  assert(finished_ < started_);
  const Lane& lane = lanes_[finished_++ % lanes_.size()];
  return tensor_at(lane.download->host(), lane.result);
}

std::int64_t TileLanes::device_bytes(const Plan& plan) {
  const Graph& graph = plan.graph();
  return 2 * (graph.values[graph.inputs[0]].bytes() + graph.values[graph.outputs[0]].bytes());
}

}  // namespace mend
