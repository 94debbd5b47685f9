// The CUDA rungs of padding and of its gradient against the references on the CPU.
#include "kernels/pad/pad.h"

#include "kernels/pad/gradient.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {

TEST_CASE("pad, pad_gradient on the GPU: every rung matches the reference") {
  for (const PadMode mode : {PadMode::kConstant, PadMode::kReflect, PadMode::kReplicate,
                             PadMode::kCircular, PadMode::kSymmetric}) {
    for (const op::Pad& pad : {op::Pad{1, 2, 3, 0, mode, 0.5f}, op::Pad{3, 3, 4, 4, mode}}) {
      for (const int channels : {1, 3, 8}) {
        const Shape x{2, 4, 5, channels};
        const op::PadGradient gradient{pad};
        CHECK(check_gpu_rungs(pad_ladder(), pad, {random_tensor(x, 1)},
                              [&](auto kernel, Inputs inputs, const Tensor& y) {
                                kernel(pad, inputs[0].view<const float>(), y.view<float>());
                              }) == 1);
        CHECK(check_gpu_rungs(pad_gradient_ladder(), gradient, {random_tensor(pad.shape({x}), 1)},
                              [&](PadGradientKernel kernel, Inputs inputs, const Tensor& y) {
                                kernel(pad, inputs[0].view<const float>(), y.view<float>(), {});
                              }) == 1);
      }
    }
  }
}

TEST_CASE("without_margins on the GPU: takes away and adds") {
  const Tensor x = random_tensor({2, 6, 7, 4}, 1);
  for (const ImageMargins& m : {ImageMargins{1, 2, 0, 3}, {-1, 0, -2, -1}, {1, -1, 2, -3}}) {
    CHECK(identical(to_host(without_margins(to_gpu(x), m)), without_margins(x, m)));
  }
}

}  // namespace mend::test
