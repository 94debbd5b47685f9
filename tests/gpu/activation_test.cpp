// The CUDA rungs of activations and their gradients against the reference on the CPU.
#include "kernels/activation/activation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "kernels/activation/gradient.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

using enum ActivationKind;
constexpr Activation kAll[] = {
    {kNone},
    {kRelu},
    {kRelu6},
    {kLeakyRelu, 0.1f},
    {kLeakyRelu, -0.3f},
    {kElu, 0.7f},
    {kElu, -0.7f},
    {kGelu},
    {kGeluTanh},
    {kSilu},
    {kSigmoid},
    {kTanh},
    {kSoftplus},
    {kMish},
    {kHardSigmoid},
    {kHardSwish},
};
constexpr Shape kAwkward[] = {{2, 3, 5, 7}, {1, 4, 3, 1}, {2, 5, 3, 24}, {1, 1, 1, 1}};

void check(const Activation& activation, const Shape& shape, const Tensor& slope) {
  const op::Activate op{activation};
  std::vector<Tensor> inputs{random_within(shape, 8, 1)};
  if (slope) inputs.push_back(slope);
  const auto optional = [](Inputs in, std::size_t i) {
    return i < in.size() ? in[i].view<const float>() : View<const float>{};
  };
  check_gpu_rungs(activation_ladder(), op, inputs,
                  [&](ActivationKernel kernel, Inputs in, const Tensor& y) {
                    kernel(activation, in[0].view<const float>(), optional(in, 1), y.view<float>());
                  });
  if (reads_result(activation)) inputs[0] = apply(op, {inputs[0]});
  inputs.insert(inputs.begin() + 1, random_tensor(shape, 2));
  check_gpu_rungs(activation_gradient_ladder(), op::ActivationGradient{activation}, inputs,
                  [&](ActivationGradientKernel kernel, Inputs in, const Tensor& y) {
                    kernel(activation, in[0].view<const float>(), in[1].view<const float>(),
                           optional(in, 2), y.view<float>());
                  });
}

}  // namespace

TEST_CASE("activation on the GPU: every kind and its gradient match the reference") {
  for (const Shape& shape : kAwkward) {
    for (const Activation& activation : kAll) check(activation, shape, {});
    check({kPrelu}, shape, random_tensor(vector_shape(shape.c), 3));
    check({kPrelu}, shape, random_tensor(vector_shape(1), 3));
  }
}

TEST_CASE("activation on the GPU: a NaN stays a NaN, infinities have limits") {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                  kInfinity = std::numeric_limits<float>::infinity();
  for (const Activation& activation : kAll) {
    CAPTURE(describe(activation));
    const op::Activate op{activation};
    const Tensor x = Tensor::from(vector_shape(3), std::vector{kNaN, 100.0f, -100.0f});
    const Tensor y = to_host(apply(op, {to_gpu(x)}));
    CHECK(std::isnan(y.view<const float>().data[0]));
    for (const int i : {1, 2}) {
      const float expected = static_cast<float>(activate(activation, x.view<float>().data[i], 0));
      CHECK(y.view<const float>().data[i] == doctest::Approx(expected));
    }
  }
  const Tensor infinite = to_gpu(Tensor::full(vector_shape(4), kInfinity));
  CHECK(to_host(apply(op::Activate{{kTanh}}, {infinite})).view<float>().data[0] == 1);
  CHECK(to_host(apply(op::Activate{{kSigmoid}}, {infinite})).view<float>().data[0] == 1);
}

}  // namespace mend::test
