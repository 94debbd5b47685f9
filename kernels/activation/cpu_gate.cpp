// Gates, a vector of channels at a time: bound by memory, as activations are.
#include "kernels/activation/gate.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/activation/cpu_gate.cpp"
#include "kernels/simd.h"
// The rest once for every instruction set.
#include "kernels/activation/gate-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

void gate_run(const Activation& activation, View<const float> x, View<const float> z, View<float> y,
              const Run& run) {
  with_activation(activation.kind,
                  GatePixels{x.pixel(run.n, run.h, run.w), x.w_stride, z.pixel(run.n, run.h, run.w),
                             z.w_stride, y.pixel(run.n, run.h, run.w), y.w_stride, run.count,
                             y.shape.c, activation.parameter});
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(gate_run);

void gate_simd(const op::Gate& op, View<const float> x, View<const float> z, View<float> y) {
  for_each_run(y.shape, [&](const Run& run) {
    HWY_DYNAMIC_DISPATCH(gate_run)(op.activation, x, z, y, run);
  });
}

}  // namespace mend
#endif
