#include "kernels/channels/channels.h"

#include <cassert>

#include "kernels/channels/variants.h"
#include "kernels/cuda/machine.h"
#include "kernels/rows.h"

namespace mend {
namespace {

double concat_seconds(const op::Concat& concat, const Shapes& in) {
  return concat.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

#ifdef MEND_HAS_CUDA
double concat_cuda_seconds(const op::Concat& concat, const Shapes& in) {
  return concat.cost(in).bytes / NominalGpu::kBytesPerSecond;
}
#endif

// clang-format off
constexpr Variant<op::Concat, ConcatKernel> kLadder[] = {
    // name              device             can it?        time                 error  entry
    {"concat/reference", DeviceKind::kCpu,  takes_f32_alone, slowest,           0,     concat_reference},
    {"concat/rows",      DeviceKind::kCpu,  never_refuses,   concat_seconds,    0,     {concat_rows, concat_rows_narrow}},
#ifdef MEND_HAS_CUDA
    {"concat/cuda",      DeviceKind::kCuda, never_refuses, concat_cuda_seconds, 0,   {concat_cuda, concat_cuda_narrow}},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::Concat, ConcatKernel>> concat_ladder() { return kLadder; }

namespace op {

Shape Concat::shape(const Shapes& in) const {
  assert(!in.empty());
  Shape y = in.front();
  for (std::size_t i = 1; i < in.size(); ++i) {
    if (in[i].n != y.n || in[i].h != y.h || in[i].w != y.w) {
      throw ShapeError(
          fmt::format("concat: input {} is {}, but input 0 is {}; only channels may "
                      "differ",
                      i, to_string(in[i]), to_string(in.front())));
    }
    y.c += in[i].c;
  }
  return y;
}

Cost Concat::cost(const Shapes& in) const {
  return {0, 2 * static_cast<double>(size_of(type)) * static_cast<double>(shape(in).elements())};
}

std::optional<Narrowed> Concat::narrow(const Shapes& in, DType to, DeviceKind) const {
  if (in.size() > 32) return std::nullopt;
  return narrow_inputs(*this, in.size(), to);
}

Footprint Concat::footprint(const Shapes&) const { return {}; }

void Concat::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(concat_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(inputs, y.view<float>());
}

Shape SliceChannels::shape(const Shapes& in) const {
  assert(in.size() == 1);
  const Shape& x = in[0];
  if (first < 0 || count < 1 || count > x.c || first > x.c - count) {
    throw ShapeError(fmt::format("slice_channels: {} channels from {} on do not lie in {}", count,
                                 first, to_string(x)));
  }
  return {x.n, x.h, x.w, count};
}

Cost SliceChannels::cost(const Shapes&) const { return {}; }

Footprint SliceChannels::footprint(const Shapes&) const { return {}; }

std::string SliceChannels::describe() const {
  return fmt::format("{}..{}", first, std::int64_t{first} + count - 1);
}

std::optional<RowPart> SliceChannels::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[0].h, y);
}

void SliceChannels::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const View<const float> from = view(inputs[0])->view<const float>();
  const View<float> to = y.view<float>();
  for_each_run(to.shape, [&](const Run& run) {
    copy_run(from.pixel(run.n, run.h, run.w), from.w_stride, to.pixel(run.n, run.h, run.w),
             to.w_stride, run.count, to.shape.c);
  });
}

std::optional<Tensor> SliceChannels::view(const Tensor& x) const {
  return x.channels(first, count);
}

}  // namespace op
}  // namespace mend
