// The CUDA rungs of rearrangements against the references on the CPU.
#include "kernels/rearrange/rearrange.h"

#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

template <class Op, class Kernel>
void check(std::span<const Variant<Op, Kernel>> ladder, const Op& op, const Shape& x) {
  const int ran = check_gpu_rungs(ladder, op, {random_tensor(x, 1)},
                                  [&](Kernel kernel, Inputs inputs, const Tensor& y) {
                                    kernel(op, inputs[0].view<const float>(), y.view<float>());
                                  });
  CHECK(ran == 1);
}

}  // namespace

TEST_CASE("roll, window_partition, window_merge on the GPU: every rung matches the reference") {
  for (const int channels : {1, 3, 8}) {
    for (const auto& [h, w] : {std::pair{0, 0}, {2, -3}, {-11, 17}}) {
      check(roll_ladder(), op::Roll{h, w}, {2, 5, 7, channels});
    }
    for (const bool dilated : {false, true}) {
      check(window_partition_ladder(), op::WindowPartition{4, 2, dilated}, {2, 12, 8, channels});
      check(window_merge_ladder(), op::WindowMerge{12, 8, dilated}, {24, 4, 2, channels});
    }
  }
}

TEST_CASE("transpose on the GPU: every rung matches the reference") {
  for (const Shape& x : {Shape{1, 1, 1, 1}, {2, 3, 5, 7}, {1, 1, 70, 33}, {3, 1, 2, 64}}) {
    const int ran = check_gpu_rungs(transpose_ladder(), op::Transpose{}, {random_tensor(x, 1)},
                                    [&](TransposeKernel kernel, Inputs inputs, const Tensor& y) {
                                      kernel(inputs[0].view<const float>(), y.view<float>());
                                    });
    CHECK(ran == 1);
  }
}

}  // namespace mend::test
