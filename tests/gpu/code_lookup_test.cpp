// The CUDA rungs of the code look-up and of its gradient against the references on the CPU.
#include "kernels/code_lookup/code_lookup.h"

#include <cmath>
#include <limits>

#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

auto look_up(CodeLookupKernel kernel, Inputs inputs, const Tensor& y) {
  kernel(inputs[0].view<const float>(), inputs[1].view<const float>(), y.view<float>());
}

/// Some pixels of few different logits: all equal, the first or the last largest, several largest.
Tensor levels(const Shape& shape) {
  const Tensor logits = random_tensor(shape, 1);
  float* values = logits.view<float>().data;
  for (std::int64_t i = 0; i < shape.elements(); ++i) values[i] = std::round(2 * values[i]);
  return logits;
}

}  // namespace

TEST_CASE("code_lookup on the GPU: every rung matches the reference") {
  for (const int codes : {1, 3, 32, 37, 200}) {
    for (const int channels : {1, 8, 45}) {
      const Shape shape{2, 3, 5, codes};
      for (const Tensor& logits : {random_tensor(shape, 1), levels(shape)}) {
        const int ran =
            check_gpu_rungs(code_lookup_ladder(), op::CodeLookup{},
                            {logits, random_tensor({1, 1, codes, channels}, 2)}, look_up);
        CHECK(ran == 2);
      }
    }
  }
}

TEST_CASE("code_lookup on the GPU: a NaN is not hidden, and infinities are numbers") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor logits = Tensor::full({1, 1, 4, 40}, -kInfinity);
  logits.view<float>()(0, 0, 1, 7) = kInfinity;
  logits.view<float>()(0, 0, 2, 35) = std::numeric_limits<float>::quiet_NaN();
  logits.view<float>()(0, 0, 2, 3) = kInfinity;
  logits.view<float>()(0, 0, 3, 39) = -1e38f;
  const Tensor codes = random_tensor({1, 1, 40, 3}, 1);
  for (const auto& rung : code_lookup_ladder()) {
    if (rung.device != DeviceKind::kCuda) continue;
    CAPTURE(rung.name);
    gpu(0).make_current();
    const Tensor there = Tensor::empty({1, 1, 4, 3}, DType::kF32, gpu(0));
    look_up(rung.kernel, std::vector{to_gpu(logits), to_gpu(codes)}, there);
    const Tensor y = to_host(there);
    const View<const float> got = y.view<const float>(), of = codes.view<const float>();
    for (int c = 0; c < 3; ++c) {
      CHECK(got(0, 0, 0, c) == of(0, 0, 0, c));
      CHECK(got(0, 0, 1, c) == of(0, 0, 7, c));
      CHECK(std::isnan(got(0, 0, 2, c)));
      CHECK(got(0, 0, 3, c) == of(0, 0, 39, c));
    }
  }
}

TEST_CASE("code_lookup_gradient on the GPU: every rung matches the reference") {
  for (const Shape& logits : {Shape{1, 1, 1, 1}, {2, 5, 7, 9}, {1, 9, 40, 3}}) {
    for (const int channels : {1, 8, 45}) {
      const Shape sums{1, 1, logits.c, channels};
      std::vector<double> memory(static_cast<std::size_t>(sums.elements()));
      const int ran = check_gpu_rungs(
          code_lookup_gradient_ladder(), op::CodeLookupGradient{},
          {levels(logits), random_tensor({logits.n, logits.h, logits.w, channels}, 2)},
          [&](CodeLookupGradientKernel kernel, Inputs inputs, const Tensor& y) {
            kernel(inputs[0].view<const float>(), inputs[1].view<const float>(), y.view<float>(),
                   std::as_writable_bytes(std::span(memory)));
          });
      CHECK(ran == 1);
    }
  }
}

}  // namespace mend::test
