// From M to y: y = Aᵀ M A, bias, activation, and 8 bits again. Included once for every instruction set;
// see kernels/simd.h.
#include <cstring>

#include "engine/quantization.h"
#include "kernels/conv2d/epilogue-inl.h"
#include "kernels/quantize/quantize-inl.h"
#include "kernels/quantized_conv2d/winograd.h"
#include "kernels/quantized_conv2d/winograd_lines-inl.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_QUANTIZED_CONV2D_FINISH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_QUANTIZED_CONV2D_FINISH_INL_H_
#undef MEND_KERNELS_QUANTIZED_CONV2D_FINISH_INL_H_
#else
#define MEND_KERNELS_QUANTIZED_CONV2D_FINISH_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

/// What turns M of up to kChunk output channels into y, padded to whole vectors.
struct ChunkConstants {
  HWY_ALIGN float scale[kChunk] = {};
  HWY_ALIGN float bias[kChunk] = {};  // and the correction
  HWY_ALIGN float slope[kChunk] = {};
  HWY_ALIGN float inverse_scale_y[kChunk] = {};
  HWY_ALIGN float zero_y[kChunk] = {};

  ChunkConstants(const QuantizedConv2dCall& call, const ConvEpilogue& epilogue,
                 const QuantizedWeight& weight, int k, int channels) {
    const TileConstants<kChunk> constants(epilogue.from_channel(k), channels);
    const Quantization y = call.code_y ? quantization(call.code_y) : Quantization{};
    for (int i = 0; i < channels; ++i) {
      scale[i] = weight.scale[k + i];
      bias[i] = constants.bias[i] + weight.correction[k + i];
      slope[i] = constants.slope[i];
      if (!call.code_y) continue;
      inverse_scale_y[i] = 1.0f / y.scale[k + i];
      zero_y[i] = y.zero[k + i];
    }
  }
};

/// lines[i][j] = Aᵀ M of one vector of output channels. m: at its first position.
template <int kTile>
HWY_INLINE void first_output_pass(const QuantizedGeometry& g, const std::int32_t* m,
                                  V (&lines)[kTile][kTile + 2]) {
  constexpr int kPatch = kTile + 2;
  const D d;
  const D32 d32;
  for (int j = 0; j < kPatch; ++j) {
    V x[kPatch], t[kTile];
    HWY_UNROLL(8)
    for (int i = 0; i < kPatch; ++i) {
      x[i] = hn::ConvertTo(d, hn::Load(d32, m + (i * kPatch + j) * g.m_stride));
    }
    QuantizedLines<kTile>::output(d, x, t);
    HWY_UNROLL(8)
    for (int i = 0; i < kTile; ++i) lines[i][j] = t[i];
  }
}

/// z = scale · Aᵀ M A + bias of one tile: [kTile²][kChunk]. m: at its first position.
template <int kTile>
void transform_output(const QuantizedGeometry& g, const std::int32_t* m, int channels,
                      const ChunkConstants& constants, float* z) {
  const D d;
  for (int k = 0; k < channels; k += kLanes) {
    V lines[kTile][kTile + 2];
    first_output_pass<kTile>(g, m + k, lines);
    const V scale = hn::Load(d, constants.scale + k), bias = hn::Load(d, constants.bias + k);
    for (int i = 0; i < kTile; ++i) {
      V t[kTile];
      QuantizedLines<kTile>::output(d, lines[i], t);
      HWY_UNROLL(8)
      for (int j = 0; j < kTile; ++j) {
        hn::Store(hn::MulAdd(t[j], scale, bias), d, z + (i * kTile + j) * kChunk + k);
      }
    }
  }
}

/// What turns M of up to kChunk output channels into 8-bit y, where the activation is linear on either
/// side of 0: y's scale is folded into all of it, and nothing is written between M and y.
struct LinearConstants {
  HWY_ALIGN float scale[kChunk];
  HWY_ALIGN float bias[kChunk];
  HWY_ALIGN float slope[kChunk];  // below 0
  HWY_ALIGN float zero_y[kChunk];

  LinearConstants(const ChunkConstants& constants, ActivationKind kind) {
    for (int k = 0; k < kChunk; ++k) {
      scale[k] = constants.scale[k] * constants.inverse_scale_y[k];
      bias[k] = constants.bias[k] * constants.inverse_scale_y[k];
      slope[k] = kind == ActivationKind::kNone   ? 1.0f
                 : kind == ActivationKind::kRelu ? 0.0f
                                                 : constants.slope[k];
      zero_y[k] = constants.zero_y[k];
    }
  }
};

/// Codes of one vector of channels; fewer than kLanes at the end.
HWY_INLINE void store_codes(hn::Vec<D8> codes, int channels, std::int8_t* to) {
  if (channels >= kLanes) return hn::StoreU(codes, D8(), to);
  HWY_ALIGN std::int8_t last[kLanes];
  hn::Store(codes, D8(), last);
  std::memcpy(to, last, static_cast<std::size_t>(channels));
}

/// y of one tile. m: at its first position; y: its first pixel.
template <int kTile>
void finish_linear(const QuantizedGeometry& g, const std::int32_t* m, int channels,
                   const LinearConstants& constants, int rows, int columns,
                   const View<std::int8_t>& y, std::int8_t* to) {
  const D d;
  const D8 d8;
  for (int k = 0; k < channels; k += kLanes) {
    V lines[kTile][kTile + 2];
    first_output_pass<kTile>(g, m + k, lines);
    const V scale = hn::Load(d, constants.scale + k), bias = hn::Load(d, constants.bias + k);
    const V slope = hn::Load(d, constants.slope + k), zero = hn::Load(d, constants.zero_y + k);
    const bool whole = columns == kTile && k + kLanes <= channels;
    for (int i = 0; i < rows; ++i) {
      V t[kTile];
      QuantizedLines<kTile>::output(d, lines[i], t);
      hn::Vec<D8> codes[kTile];
      HWY_UNROLL(8)
      for (int j = 0; j < kTile; ++j) {
        const V z = hn::MulAdd(t[j], scale, bias);
        const V value = hn::IfThenElse(hn::Ge(z, hn::Zero(d)), z, hn::Mul(z, slope));
        codes[j] = hn::DemoteTo(d8, hn::NearestInt(hn::Add(value, zero)));
      }
      std::int8_t* row = to + i * y.h_stride + k;
      if (whole) {
        HWY_UNROLL(8)
        for (int j = 0; j < kTile; ++j) hn::StoreU(codes[j], d8, row + j * y.w_stride);
      } else {
        for (int j = 0; j < columns; ++j) store_codes(codes[j], channels - k, row + j * y.w_stride);
      }
    }
  }
}

/// y = quantize(activation(z)) on a row of a tile.
struct QuantizeRow {
  const float* z;  // [pixels][kChunk]
  int pixels, channels;
  const ChunkConstants& constants;
  std::int8_t* y;
  std::int64_t y_stride;

  template <class Function>
  HWY_INLINE void operator()(Function function) const {
    const D d;
    for (int p = 0; p < pixels; ++p) {
      const float* sums = z + p * kChunk;
      std::int8_t* out = y + p * y_stride;
      for (int k = 0; k < channels; k += kLanes) {
        const V value = function(d, hn::Load(d, sums + k), hn::Load(d, constants.slope + k));
        const auto bytes = to_int8(d, value, hn::Load(d, constants.inverse_scale_y + k),
                                   hn::Load(d, constants.zero_y + k));
        store_codes(bytes, channels - k, out + k);
      }
    }
  }
};

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
