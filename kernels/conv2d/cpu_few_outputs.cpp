// Convolution to one, two or three channels: the last layer of most networks.
//
// With lanes across outputs 3 of 16 would count. Here they go across input channels: a register tile of 4 pixels x 3
// outputs (4 x 2, 8 x 1) loads a vector of each output's weights and of each pixel, 7 loads for 12 FMAs, and adds up the
// lanes of its sums at the end. 64 -> 3 with 3x3 taps and AVX-512: 432 FMAs and 40 instructions at the end for 4 pixels.
//
// Lanes are added in one order wherever a pixel lies, so tiles and bands of rows give the same bits.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv2d/variant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu_few_outputs.cpp"
#include "kernels/simd.h"
// The rest once for every instruction set.
#include "kernels/conv2d/row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

/// Pixels whose lanes are added up together.
constexpr int kTogether = 4;

/// The lowest 128 bits of the sum of all blocks of 128 bits.
template <class D, class V>
HWY_INLINE auto add_blocks(D d, V v) {
  if constexpr (hn::MaxLanes(d) <= kTogether) {
    return v;
  } else {
    const hn::Half<D> half;
    return add_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

/// to[i] = the sum of the lanes of x[i].
template <class D, class V>
HWY_INLINE void add_lanes(D d, const V* x, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < kTogether; ++i) to[i] = hn::GetLane(x[i]);
#else
  const hn::Repartition<double, D> dd;  // moves two floats at a time
  const V ab = hn::Add(hn::InterleaveLower(d, x[0], x[1]), hn::InterleaveUpper(d, x[0], x[1]));
  const V ce = hn::Add(hn::InterleaveLower(d, x[2], x[3]), hn::InterleaveUpper(d, x[2], x[3]));
  const auto ab2 = hn::BitCast(dd, ab), ce2 = hn::BitCast(dd, ce);
  const V sums = hn::Add(hn::BitCast(d, hn::InterleaveLower(dd, ab2, ce2)),
                         hn::BitCast(d, hn::InterleaveUpper(dd, ab2, ce2)));
  hn::StoreU(add_blocks(d, sums), hn::CappedTag<float, kTogether>(), to);
#endif
}

/// y of one register tile from its sums, which lie in L1.
struct FinishPixels {
  const float* z;  // [outputs][kTogether · n]
  int z_stride, pixels, outputs;
  ActivationKind activation;
  const TileConstants<kTogether>& constants;
  float scale;
  const float* residual;  // of the first pixel, or null
  std::int64_t residual_stride;
  float* y;
  std::int64_t y_stride;

  template <class Function>
  HWY_INLINE void operator()(Function function) const {
    const hn::CappedTag<float, kTogether> d;
    HWY_ALIGN float values[kTogether];
    for (int k = 0; k < outputs; ++k) {
      const auto bias = hn::Set(d, constants.bias[k]), slope = hn::Set(d, constants.slope[k]);
      for (int first = 0; first < pixels; first += kTogether) {
        for (int i = 0; i < kTogether; i += static_cast<int>(hn::MaxLanes(d))) {
          const auto sum = hn::Add(hn::Load(d, z + k * z_stride + first + i), bias);
          hn::Store(hn::Mul(hn::Set(d, scale), function(d, sum, slope)), d, values + i);
        }
        const int count = std::min(kTogether, pixels - first);
        for (int i = 0; i < count; ++i) {
          const std::int64_t p = first + i;
          const float add = residual == nullptr ? 0.0f : residual[p * residual_stride + k];
          y[p * y_stride + k] = values[i] + add;
        }
      }
    }
  }
};

HWY_NOINLINE void finish_pixels(const FinishPixels& tile) {
  with_activation(tile.activation, tile);
}

/// sum[p][k] += x · weight over one vector of channels; `x`: of the first pixel.
template <int kPixels, int kOutputs, class V, class Weight>
HWY_INLINE void add_products(const float* x, std::int64_t pixel_stride, const Weight& weight,
                             V (&sum)[kPixels][kOutputs]) {
  const hn::ScalableTag<float> d;
  V w[kOutputs];
  HWY_UNROLL(3)
  for (int k = 0; k < kOutputs; ++k) w[k] = weight(k);
  HWY_UNROLL(8)
  for (int p = 0; p < kPixels; ++p) {
    const V v = hn::LoadU(d, x + p * pixel_stride);
    HWY_UNROLL(3)
    for (int k = 0; k < kOutputs; ++k) sum[p][k] = hn::MulAdd(v, w[k], sum[p][k]);
  }
}

/// z[k][p] = Σ_{r,s,c}. weight: [kOutputs][R][S][C].
template <int kPixels, int kOutputs>
HWY_NOINLINE void sum_pixels(const TileInput& in, const float* weight, float* z) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V sum[kPixels][kOutputs];
  for (auto& pixel : sum)
    for (V& of_output : pixel) of_output = hn::Zero(d);
  const std::int64_t output_stride = std::int64_t{in.R} * in.S * in.C;
  const std::int64_t pixel_stride = in.pixel_stride;
  const int C = in.C, rest = C % kLanes;
  // The last vector reaches back into channels that were counted: their weights are zero then.
  const auto counted = hn::FirstN(d, static_cast<std::size_t>(kLanes - rest));
  for (int r = 0; r < in.R; ++r) {
    if (in.rows[r] == nullptr) {
      weight += std::int64_t{in.S} * C;
      continue;
    }
    const float* x = in.rows[r] + in.offset;
    for (int s = 0; s < in.S; ++s, x += in.tap_stride, weight += C) {
      for (int c = 0; c + kLanes <= C; c += kLanes) {
        const auto whole = [&](int k)
                               HWY_ATTR { return hn::LoadU(d, weight + k * output_stride + c); };
        add_products<kPixels, kOutputs>(x + c, pixel_stride, whole, sum);
      }
      if (rest == 0) continue;
      const auto last = [&](int k) HWY_ATTR {
        return hn::IfThenZeroElse(counted, hn::LoadU(d, weight + k * output_stride + C - kLanes));
      };
      add_products<kPixels, kOutputs>(x + C - kLanes, pixel_stride, last, sum);
    }
  }
  for (int k = 0; k < kOutputs; ++k) {
    for (int p = 0; p < kPixels; p += kTogether) {
      const V four[] = {sum[p][k], sum[p + 1][k], sum[p + 2][k], sum[p + 3][k]};
      add_lanes(d, four, z + k * kPixels + p);
    }
  }
}

template <int kPixels, int kOutputs>
void few_outputs_of_row(const ConvRow& row, const float** strip_rows) {
  HWY_ALIGN float z[kPixels * kOutputs];
  const ConvEpilogue& epilogue = row.epilogue;
  const TileConstants<kTogether> constants(epilogue, kOutputs);
  const int reach = (row.S - 1) * row.tap_step + 1;
  // A row that is shorter than a tile goes pixel by pixel, each in all places of the tile.
  const int step = row.Q < kPixels ? 1 : kPixels;
  const int columns = (step - 1) * row.step + reach;
  for (int begin = 0; begin < row.Q; begin += step) {
    const int q = std::min(begin, row.Q - step);  // the last tile overlaps the one before
    const int first = q * row.step + row.first;
    TileInput in = find_input(row, first, columns, strip_rows);
    if (step == 1) in.pixel_stride = 0;
    sum_pixels<kPixels, kOutputs>(in, row.weight, z);
    const float* residual = epilogue.residual;
    if (residual != nullptr) residual += q * epilogue.residual_stride;
    finish_pixels({z, kPixels, step, kOutputs, epilogue.activation.kind, constants, epilogue.scale,
                   residual, epilogue.residual_stride, row.y + q * row.y_stride, row.y_stride});
  }
}

void few_outputs_row(const ConvRow& row, const float** strip_rows) {
  switch (row.K) {
    case 1:
      return few_outputs_of_row<8, 1>(row, strip_rows);
    case 2:
      return few_outputs_of_row<4, 2>(row, strip_rows);
    default:
      return few_outputs_of_row<4, 3>(row, strip_rows);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(few_outputs_row);

std::string conv2d_few_outputs_refuses(const op::Conv2d& op, const Shapes& in) {
  constexpr int kMost = 3;
  if (op.outputs > kMost) return "computes 3 outputs at most";
  if (op.groups != 1) return "needs a single group";
  if (in[op::Conv2d::kX].c < kConvBlock) return "needs 16 input channels, a vector";
  return {};
}

double conv2d_few_outputs_seconds(const op::Conv2d& op, const Shapes& in) {
  const int C = in[op::Conv2d::kX].c;
  const Cost cost = op.cost(in);
  const double padded = cost.flops * blocks_of(C) * kConvBlock / C;
  return padded / (0.7 * NominalMachine::kFlopsPerSecond) +
         cost.bytes / NominalMachine::kBytesPerSecond;
}

std::int64_t conv2d_few_outputs_scratch_bytes(const op::Conv2d& op, const Shapes& in) {
  return row_scratch_bytes(op.kernel_h, op.kernel_w, in[op::Conv2d::kX].c, op.stride, op.dilation);
}

void conv2d_few_outputs(const Conv2dCall& call) {
  const Shape& y = call.y.shape;
  parallel_for(std::int64_t{y.n} * y.h, [&](std::int64_t task, int thread) {
    const RowScratch scratch = row_scratch(call.scratch, call.op.kernel_h, thread);
    ConvRow row = conv2d_row_at(call, static_cast<int>(task / y.h), static_cast<int>(task % y.h), 0,
                                y.w, scratch);
    row.C = call.x.shape.c;
    row.K = y.c;
    row.weight = call.weight.data;
    HWY_DYNAMIC_DISPATCH(few_outputs_row)(row, scratch.strip_rows);
  });
}

}  // namespace mend
#endif
