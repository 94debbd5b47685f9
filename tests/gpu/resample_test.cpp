// The CUDA rungs of resampling and of its gradient against the references on the CPU.
#include "kernels/resample/resample.h"

#include "kernels/resample/gradient.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

using Mode = ResampleMode;

constexpr Mode kModes[] = {Mode::kNearest, Mode::kNearestExact, Mode::kBilinear, Mode::kBicubic,
                           Mode::kArea};

bool picks(Mode mode) { return mode == Mode::kNearest || mode == Mode::kNearestExact; }

void check_resample(const op::Resample& op, const Shape& x) {
  const int ran = check_gpu_rungs(resample_ladder(), op, {random_tensor(x, 1)},
                                  [&](ResampleKernel kernel, Inputs inputs, const Tensor& y) {
                                    kernel(op, inputs[0].view<const float>(), y.view<float>(), {});
                                  });
  CHECK(ran == (picks(op.mode) ? 1 : 2));
}

void check_gradient(const op::Resample& resample, const Shape& x) {
  const op::ResampleGradient op{resample, x.h, x.w};
  const int ran =
      check_gpu_rungs(resample_gradient_ladder(), op, {random_tensor(resample.shape({x}), 1)},
                      [&](ResampleGradientKernel kernel, Inputs inputs, const Tensor& y) {
                        kernel(op, inputs[0].view<const float>(), y.view<float>(), {});
                      });
  CHECK(ran == 2);
}

}  // namespace

TEST_CASE("resample on the GPU: every rung matches the reference") {
  for (const Mode mode : kModes) {
    for (const Shape& x : {Shape{2, 5, 7, 3}, Shape{1, 7, 4, 8}, Shape{1, 1, 1, 1}}) {
      for (const bool align_corners : {false, true}) {
        for (const bool antialias : {false, true}) {
          if (picks(mode) && (align_corners || antialias)) continue;
          for (const auto& [h, w] : {std::pair{3, 5}, {2 * x.h, 2 * x.w}, {11, 2}}) {
            check_resample({mode, h, w, 0, 0, align_corners, antialias}, x);
          }
        }
      }
    }
    check_resample({mode, 9, 12, 1.6, 1.6}, {1, 6, 8, 3});  // positions from a given factor
  }
}

TEST_CASE("resample_gradient on the GPU: every rung matches the reference") {
  for (const Mode mode : kModes) {
    for (const auto& [height, width] : {std::pair{10, 14}, {3, 4}, {8, 5}}) {
      check_gradient({.mode = mode, .height = height, .width = width, .antialias = true},
                     {2, 5, 7, 3});
      check_gradient({.mode = mode, .height = height, .width = width}, {1, 5, 7, 8});
    }
  }
}

TEST_CASE("resample on the GPU: run at once, it takes the rung with fewer loads") {
  const Shapes in = {{1, 64, 64, 3}};
  const op::Resample bilinear{.mode = Mode::kBilinear, .height = 128, .width = 128};
  const op::Resample shrink{.mode = Mode::kBicubic, .height = 16, .width = 16, .antialias = true};
  CHECK(choose(resample_ladder(), bilinear, in, DeviceKind::kCuda).name == "resample/cuda_direct");
  CHECK(choose(resample_ladder(), shrink, in, DeviceKind::kCuda).name == "resample/cuda_two_pass");
  const Tensor x = random_tensor({1, 5, 6, 4}, 2);
  const op::Resample nearest{.height = 10, .width = 12};
  CHECK(identical(to_host(apply(nearest, {to_gpu(x)})), apply(nearest, {x})));
}

}  // namespace mend::test
