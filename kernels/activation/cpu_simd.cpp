// Activations, a vector of channels at a time. Cheap kinds are bound by memory; those with an
// exponential cost 20 to 40 instructions a vector, still about as fast as memory delivers it.
#include <algorithm>
#include <cstring>

#include "engine/parallel.h"
#include "kernels/activation/rungs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/activation/cpu_simd.cpp"
#include "kernels/activation/activation-inl.h"

#ifndef MEND_ACTIVATION_RUN
#define MEND_ACTIVATION_RUN
namespace mend {
/// Pixels at one distance from each other; a dense tensor without slopes is one long pixel.
struct ActivationRun {
  const float* x;
  float* y;
  std::int64_t x_stride, y_stride;  // between pixels
  std::int64_t pixels, channels;
  const float* slope;  // one a channel; null: `shared_slope` for all
  float shared_slope;
};
}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

template <class Function>
HWY_INLINE void activate_pixel(const ActivationRun& run, const float* x, float* y,
                               Function function) {
  const hn::ScalableTag<float> d;
  const std::int64_t lanes = hn::Lanes(d);
  const auto shared = hn::Set(d, run.shared_slope);
  std::int64_t c = 0;
  for (; c + lanes <= run.channels; c += lanes) {
    const auto slope = run.slope != nullptr ? hn::LoadU(d, run.slope + c) : shared;
    hn::StoreU(function(d, hn::LoadU(d, x + c), slope), d, y + c);
  }
  const std::size_t rest = static_cast<std::size_t>(run.channels - c) * sizeof(float);
  if (rest == 0) return;
  HWY_ALIGN float last_x[hn::MaxLanes(d)] = {}, last_slope[hn::MaxLanes(d)] = {};
  std::memcpy(last_x, x + c, rest);
  if (run.slope != nullptr) std::memcpy(last_slope, run.slope + c, rest);
  const auto slope = run.slope != nullptr ? hn::Load(d, last_slope) : shared;
  hn::Store(function(d, hn::Load(d, last_x), slope), d, last_x);
  std::memcpy(y + c, last_x, rest);
}

struct ActivatePixels {
  const ActivationRun& run;

  template <class Function>
  void operator()(Function function) const {
    for (std::int64_t pixel = 0; pixel < run.pixels; ++pixel) {
      activate_pixel(run, run.x + pixel * run.x_stride, run.y + pixel * run.y_stride, function);
    }
  }
};

void activate_run(ActivationKind kind, const ActivationRun& run) {
  with_activation(kind, ActivatePixels{run});
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(activate_run);

namespace {

/// Elements of one task: 64 KB in and out, so that a task is worth starting and stays in L2.
constexpr std::int64_t kChunk = 16384;

void activate_dense(const Activation& activation, const float* x, float* y, std::int64_t elements,
                    float slope) {
  parallel_for((elements + kChunk - 1) / kChunk, [&](std::int64_t task, int) {
    const std::int64_t first = task * kChunk;
    const std::int64_t count = std::min(kChunk, elements - first);
    HWY_DYNAMIC_DISPATCH(activate_run)
    (activation.kind, {x + first, y + first, 0, 0, 1, count, nullptr, slope});
  });
}

}  // namespace

void activation_simd(const Activation& activation, View<const float> x, View<const float> slope,
                     View<float> y) {
  const bool is_prelu = activation.kind == ActivationKind::kPrelu;
  const bool slope_per_channel = is_prelu && slope.shape.c > 1;
  const float shared = is_prelu ? slope.data[0] : activation.parameter;
  const Shape& shape = x.shape;
  if (x.dense() && y.dense() && !slope_per_channel) {
    activate_dense(activation, x.data, y.data, shape.elements(), shared);
    return;
  }
  parallel_for(std::int64_t{shape.n} * shape.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / shape.h), h = static_cast<int>(row % shape.h);
    HWY_DYNAMIC_DISPATCH(activate_run)
    (activation.kind, {x.pixel(n, h, 0), y.pixel(n, h, 0), x.w_stride, y.w_stride, shape.w, shape.c,
                       slope_per_channel ? slope.data : nullptr, shared});
  });
}

}  // namespace mend
#endif
