#include "kernels/channels/gradient.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "kernels/channels/channels.h"
#include "kernels/rows.h"

namespace mend::op {

Tensors Concat::backward(const Backward& call) const {
  Tensors gradients(call.inputs.size());
  int first = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const int count = call.inputs[i].shape().c;
    if (call.wants(i)) gradients[i] = apply(SliceChannels{first, count}, {call.dy});
    first += count;
  }
  return gradients;
}

Saves Concat::saves(const std::vector<bool>&) const { return {}; }

Tensors SliceChannels::backward(const Backward& call) const {
  const int total = call.inputs[0].shape().c;
  return {count == total ? call.dy : apply(PlaceChannels{first, total}, {call.dy})};
}

Saves SliceChannels::saves(const std::vector<bool>&) const { return {}; }

Shape PlaceChannels::shape(const Shapes& in) const {
  const Shape& x = in[0];
  if (first < 0 || first > total - x.c) {
    throw ShapeError(fmt::format("place_channels: the channels of {} from {} on are not among {}",
                                 to_string(x), first, total));
  }
  return {x.n, x.h, x.w, total};
}

Cost PlaceChannels::cost(const Shapes& in) const {
  return {0, sizeof(float) * static_cast<double>(in[0].elements() + shape(in).elements())};
}

Footprint PlaceChannels::footprint(const Shapes&) const { return {}; }

std::string PlaceChannels::describe() const { return fmt::format("at {} of {}", first, total); }

std::optional<RowPart> PlaceChannels::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[0].h, y);
}

void PlaceChannels::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const View<const float> x = inputs[0].view<const float>();
  const View<float> to = y.view<float>();
  const int count = x.shape.c, after = total - first - count;
  for_each_run(to.shape, [&](const Run& run) {
    float* pixel = to.pixel(run.n, run.h, run.w);
    fill_run(0, pixel, to.w_stride, run.count, first);
    copy_run(x.pixel(run.n, run.h, run.w), x.w_stride, pixel + first, to.w_stride, run.count,
             count);
    fill_run(0, pixel + first + count, to.w_stride, run.count, after);
  });
}

}  // namespace mend::op
