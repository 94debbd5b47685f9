#include "kernels/conv2d/row.h"

#include "engine/parallel.h"

namespace mend {
namespace {

/// Every part of the scratch starts on a cache line.
constexpr std::int64_t kLine = 64;
std::int64_t align(std::int64_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }
std::int64_t pointer_bytes(int R) { return align(R * std::int64_t{sizeof(const float*)}); }

}  // namespace

std::int64_t row_scratch_bytes(int R, int S, int C, int step, int tap_step) {
  const std::int64_t columns =
      std::int64_t{kWidestTile - 1} * step + std::int64_t{S} * tap_step + 1;
  const std::int64_t strip = align(columns * R * C * std::int64_t{sizeof(float)});
  return threads() * (2 * pointer_bytes(R) + strip);
}

RowScratch row_scratch(Scratch scratch, int R, int thread) {
  const std::size_t of_one_thread = scratch.size() / threads() / kLine * kLine;
  std::byte* memory = scratch.data() + of_one_thread * thread;
  return {reinterpret_cast<const float**>(memory),
          reinterpret_cast<const float**>(memory + pointer_bytes(R)),
          reinterpret_cast<float*>(memory + 2 * pointer_bytes(R))};
}

ConvRow conv2d_row_at(const Conv2dCall& call, int n, int p, int q, int Q, const RowScratch& scratch,
                      int rows) {
  const op::Conv2d& op = call.op;
  for (int r = 0; r < op.kernel_h + rows - 1; ++r) {
    const int h = source_index(p * op.stride + r * op.dilation - op.padding_h, call.x.shape.h,
                               op.padding_mode);
    scratch.rows[r] = h < 0 ? nullptr : call.x.pixel(n, h, 0);
  }
  ConvRow row = {};
  row.x = scratch.rows;
  row.x_stride = call.x.w_stride;
  row.W = call.x.shape.w;
  row.R = op.kernel_h;
  row.S = op.kernel_w;
  row.step = op.stride;
  row.tap_step = op.dilation;
  row.first = q * op.stride - op.padding_w;
  row.mode = op.padding_mode;
  row.epilogue = epilogue_of(call);
  if (call.residual) {
    row.epilogue.residual = call.residual.pixel(n, p, q);
    row.epilogue.residual_stride = call.residual.w_stride;
  }
  row.y = call.y.pixel(n, p, q);
  row.y_stride = call.y.w_stride;
  row.Q = Q;
  row.strip = scratch.strip;
  return row;
}

}  // namespace mend
