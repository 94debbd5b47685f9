// The CUDA rungs of the pixel shuffles against the reference on the CPU.
#include "kernels/pixel_shuffle/pixel_shuffle.h"

#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

void check(int factor, const Shape& small) {
  const op::PixelShuffle shuffle{factor};
  const op::PixelUnshuffle unshuffle{factor};
  const auto call = [&](const auto& op) {
    return [&op](auto kernel, Inputs inputs, const Tensor& y) {
      kernel(op, inputs[0].view<const float>(), y.view<float>());
    };
  };
  CHECK(check_gpu_rungs(pixel_shuffle_ladder(), shuffle, {random_tensor(small, 1)},
                        call(shuffle)) == 1);
  CHECK(check_gpu_rungs(pixel_unshuffle_ladder(), unshuffle,
                        {random_tensor(shuffle.shape({small}), 2)}, call(unshuffle)) == 1);
}

}  // namespace

TEST_CASE("pixel_shuffle, pixel_unshuffle on the GPU: every rung matches the reference") {
  for (const int factor : {1, 2, 3, 4, 8}) {
    CAPTURE(factor);
    for (const int channels : {1, 3, 16}) {
      const int wide = channels * factor * factor;
      check(factor, {1, 1, 1, wide});
      check(factor, {2, 2, 7, wide});
      check(factor, {1, 2, 4100 / wide + 6, wide});  // more than a tile
    }
  }
  check(4, {1, 1, 3, 16 * 261});  // a pixel is more than a tile
  check(9, {1, 2, 2, 81 * 53});
}

TEST_CASE("pixel_shuffle, pixel_unshuffle on the GPU: run at once, one undoes the other") {
  const Tensor x = random_tensor({2, 3, 5, 27}, 3);
  const Tensor large = apply(op::PixelShuffle{3}, {to_gpu(x)});
  CHECK(identical(to_host(large), apply(op::PixelShuffle{3}, {x})));
  CHECK(identical(to_host(apply(op::PixelUnshuffle{3}, {large})), x));
}

}  // namespace mend::test
