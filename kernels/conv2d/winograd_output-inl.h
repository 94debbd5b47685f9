// The end of a Winograd convolution: from the products of a block of tiles to their outputs. Included once
// for every instruction set; see kernels/simd.h.
#include "kernels/conv2d/epilogue-inl.h"
#include "kernels/conv2d/winograd.h"
#include "kernels/conv2d/winograd_lines-inl.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_CONV2D_WINOGRAD_OUTPUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_CONV2D_WINOGRAD_OUTPUT_INL_H_
#undef MEND_KERNELS_CONV2D_WINOGRAD_OUTPUT_INL_H_
#else
#define MEND_KERNELS_CONV2D_WINOGRAD_OUTPUT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {

using WinogradTag = hn::ScalableTag<float>;
using WinogradVector = hn::Vec<WinogradTag>;
constexpr int kWinogradLanes = static_cast<int>(hn::MaxLanes(WinogradTag()));

/// put(i, j, k, Aᵀ M A + bias) for each output (i,j) of one tile and each vector k of channels. m: at its
/// first position.
template <int kTile, class Put>
HWY_INLINE void transform_output(const WinogradGeometry& g, const float* m, int channels,
                                 const float* bias, const Put& put) {
  constexpr int kPatch = kTile + 2;
  const WinogradTag d;
  for (int k = 0; k < channels; k += kWinogradLanes) {
    WinogradVector lines[kTile][kPatch];  // [i][j]: Aᵀ M
    for (int j = 0; j < kPatch; ++j) {
      WinogradVector x[kPatch], t[kTile];
      HWY_UNROLL(8)
      for (int i = 0; i < kPatch; ++i) x[i] = hn::Load(d, m + (i * kPatch + j) * g.m_stride + k);
      WinogradLines<kTile>::output(d, x, t);
      HWY_UNROLL(8)
      for (int i = 0; i < kTile; ++i) lines[i][j] = t[i];
    }
    const WinogradVector b = hn::Load(d, bias + k);
    for (int i = 0; i < kTile; ++i) {
      WinogradVector t[kTile];
      WinogradLines<kTile>::output(d, lines[i], t);
      HWY_UNROLL(8)
      for (int j = 0; j < kTile; ++j) put(i, j, k, hn::Add(t[j], b));
    }
  }
}

/// Sums of a tile into L1, for tiles that stick out of the image and activations that are long.
template <int kTile>
struct PutSums {
  float* z;  // [kTile²][kWinogradChunk]

  HWY_INLINE void operator()(int i, int j, int k, WinogradVector sum) const {
    hn::Store(sum, WinogradTag(), z + (i * kTile + j) * kWinogradChunk + k);
  }
};

/// Outputs of a whole tile straight to y, as finish_tile makes them of sums.
template <class T, class Function>
struct PutOutputs {
  Function function;
  const float* slope;
  float scale;
  View<const T> residual;  // from the tile's first pixel and channel on, or nothing
  View<T> y;               // likewise

  HWY_INLINE void operator()(int i, int j, int k, WinogradVector sum) const {
    const WinogradTag d;
    const WinogradVector factor = hn::Set(d, scale),
                         value = function(d, sum, hn::Load(d, slope + k));
    T* out = y.data + i * y.h_stride + j * y.w_stride + k;
    if (residual.data == nullptr) return store_f32(hn::Mul(factor, value), d, out);
    const T* add = residual.data + i * residual.h_stride + j * residual.w_stride + k;
    store_f32(hn::MulAdd(factor, value, load_f32(d, add)), d, out);
  }
};

/// y of tiles of one block: `channels` output channels from k on.
template <int kTile, class T>
struct FinishWinogradBlock {
  const TypedConv2dCall<T>& call;
  const WinogradGeometry& g;
  const float* m;
  std::int64_t first;
  int k, channels;
  const TileConstants<kWinogradChunk> constants{epilogue_of(call).from_channel(k), channels};

  void all(int tiles) const {
    const ActivationKind kind = call.op.activation.kind;
    for (int t = 0; t < tiles; ++t) {
      const TilePlace place = tile_place(first + t, g.tile, call.y.shape);
      const bool whole =
          place.rows == kTile && place.columns == kTile && channels % kWinogradLanes == 0;
      if (whole && kind == ActivationKind::kNone) {
        put(t, place, Identity{});
      } else if (whole && kind == ActivationKind::kRelu) {
        put(t, place, Relu{});
      } else if (whole && (kind == ActivationKind::kLeakyRelu || kind == ActivationKind::kPrelu)) {
        put(t, place, SlopedRelu{});
      } else {
        put_part(t, place);
      }
    }
  }

  template <class Number>
  View<Number> from(View<Number> image, const TilePlace& place) const {
    if (image) image.data = image.pixel(place.n, place.p, place.q) + k;
    return image;
  }

  template <class Function>
  void put(int t, const TilePlace& place, Function function) const {
    transform_output<kTile>(
        g, m + t * kWinogradChunk, channels, constants.bias,
        PutOutputs<T, Function>{function, constants.slope, call.op.scale,
                                from(call.residual, place), from(call.y, place)});
  }

  void put_part(int t, const TilePlace& place) const {
    HWY_ALIGN float z[kTile * kTile * kWinogradChunk];
    transform_output<kTile>(g, m + t * kWinogradChunk, channels, constants.bias, PutSums<kTile>{z});
    const View<const T> residual = from(call.residual, place);
    const View<T> y = from(call.y, place);
    for (int i = 0; i < place.rows; ++i) {
      finish_tile<T>(
          call.op.activation.kind,
          {z + i * kTile * kWinogradChunk, place.columns, kWinogradChunk, channels, constants.slope,
           call.op.scale, residual ? residual.data + i * residual.h_stride : nullptr,
           residual.w_stride, y.data + i * y.h_stride, y.w_stride});
    }
  }
};

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
