// y = scale · activation(z) + residual on a tile of sums that lies in the L1 cache.
//
// It works on memory, not on the registers of the sums: then there is one copy of it and not one in
// every register tile. The detour is a store and a load a vector: beside the FMAs of a 3x3
// convolution of 64 channels (576 a vector) nothing, beside those of 3 channels (27) a little.
#include <cstring>

#include "kernels/activation/activation-inl.h"
#include "kernels/conv2d/row.h"
#include "kernels/narrow_lanes-inl.h"
#include "kernels/simd.h"

#if defined(MEND_KERNELS_CONV2D_EPILOGUE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEND_KERNELS_CONV2D_EPILOGUE_INL_H_
#undef MEND_KERNELS_CONV2D_EPILOGUE_INL_H_
#else
#define MEND_KERNELS_CONV2D_EPILOGUE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {

/// T: of residual and y.
template <class T>
struct FinishTile {
  const float* z;  // [pixels][z_stride], aligned, whole vectors
  int pixels, z_stride, channels;
  const float* slope;  // as many as z_stride
  float scale;
  const T* residual;  // of the first pixel, or null
  std::int64_t residual_stride;
  T* y;
  std::int64_t y_stride;

  template <class Function>
  HWY_INLINE void operator()(Function function) const {
    const hn::ScalableTag<float> d;
    const int lanes = static_cast<int>(hn::Lanes(d));
    const auto factor = hn::Set(d, scale);
    for (int p = 0; p < pixels; ++p) {
      const float* sums = z + p * z_stride;
      T* out = y + p * y_stride;
      const T* add = residual == nullptr ? nullptr : residual + p * residual_stride;
      int k = 0;
      for (; k + lanes <= channels; k += lanes) {
        const auto value = function(d, hn::Load(d, sums + k), hn::Load(d, slope + k));
        const auto sum = add == nullptr ? hn::Mul(factor, value)
                                        : hn::MulAdd(factor, value, load_f32(d, add + k));
        store_f32(sum, d, out + k);
      }
      if (k == channels) continue;
      // Fewer channels than lanes: never touch what lies beside the slice.
      HWY_ALIGN float last[hn::MaxLanes(d)] = {};
      for (int i = k; add != nullptr && i < channels; ++i) last[i - k] = to_f32(add[i]);
      const auto value = function(d, hn::Load(d, sums + k), hn::Load(d, slope + k));
      const auto sum =
          add == nullptr ? hn::Mul(factor, value) : hn::MulAdd(factor, value, hn::Load(d, last));
      hn::Store(sum, d, last);
      for (int i = k; i < channels; ++i) from_f32(last[i - k], out[i]);
    }
  }
};

/// One copy for all register tiles.
template <class T>
HWY_NOINLINE inline void finish_tile(ActivationKind kind, const FinishTile<T>& tile) {
  with_activation(kind, tile);
}

/// Bias and slope of up to kCount channels, padded to whole vectors.
template <int kCount>
struct TileConstants {
  HWY_ALIGN float bias[kCount] = {};
  HWY_ALIGN float slope[kCount] = {};

  HWY_INLINE TileConstants(const ConvEpilogue& epilogue, int channels) {
    const std::size_t bytes = static_cast<std::size_t>(channels) * sizeof(float);
    if (epilogue.bias != nullptr) std::memcpy(bias, epilogue.bias, bytes);
    if (epilogue.slope != nullptr && !epilogue.slope_is_shared) {
      std::memcpy(slope, epilogue.slope, bytes);
    } else {
      const float shared =
          epilogue.slope != nullptr ? epilogue.slope[0] : epilogue.activation.parameter;
      for (float& value : slope) value = shared;
    }
  }
};

}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
