// The CUDA rungs of concatenation and of a slice's gradient against the references on the CPU.
#include "kernels/channels/channels.h"

#include <tuple>

#include "kernels/channels/gradient.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {

TEST_CASE("concat on the GPU: every rung matches the reference") {
  for (const std::vector<int>& channels : {std::vector{1}, {3, 5}, {4, 8, 4}, {64, 3, 1}}) {
    std::vector<Tensor> inputs;
    for (const int c : channels) inputs.push_back(random_tensor({2, 3, 7, c}, c));
    const int ran = check_gpu_rungs(
        concat_ladder(), op::Concat{}, inputs,
        [](ConcatKernel kernel, Inputs in, const Tensor& y) { kernel(in, y.view<float>()); });
    CHECK(ran == 1);
  }
}

TEST_CASE("concat on the GPU: leaves an input alone that is in place") {
  const Tensor x = random_tensor({2, 3, 4, 7}, 5);
  const Tensor y = to_gpu(x), other = random_tensor({2, 3, 4, 4}, 6);
  const std::vector<Tensor> parts = {y.channels(0, 3), to_gpu(other)};
  op::Concat{}.forward(parts, y, {});
  CHECK(identical(to_host(y), apply(op::Concat{}, {x.channels(0, 3), other})));
}

TEST_CASE("place_channels on the GPU: every rung matches the reference") {
  for (const auto& [first, count, total] :
       {std::tuple{0, 3, 3}, {2, 3, 7}, {4, 8, 16}, {4, 8, 12}, {3, 8, 16}, {0, 1, 4}}) {
    const op::PlaceChannels op{first, total};
    const int ran =
        check_gpu_rungs(place_channels_ladder(), op, {random_tensor({2, 3, 5, count}, 1)},
                        [&](PlaceChannelsKernel kernel, Inputs inputs, const Tensor& y) {
                          kernel(op, inputs[0].view<const float>(), y.view<float>());
                        });
    CHECK(ran == 1);
  }
}

}  // namespace mend::test
