#include "kernels/convert/convert.h"

#include <doctest/doctest.h>

#include <limits>

#include "engine/plan.h"
#include "kernels/channels/channels.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/pool/pool.h"
#include "kernels/resample/resample.h"
#include "tests/kernels/check_narrow.h"
#include "tests/kernels/conv2d_cases.h"

namespace mend::test {
namespace {

/// Numbers that rounding treats in different ways, among others.
Tensor awkward_numbers(const Shape& shape) {
  const Tensor x = random_tensor(shape, 1);
  const float special[] = {0.0f,
                           -0.0f,
                           1e30f,
                           -1e30f,
                           65519.0f,
                           65520.0f,
                           1e-7f,
                           3e-8f,
                           1e-30f,
                           std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::quiet_NaN(),
                           1.0f + 0x1p-11f,
                           1.0f + 3 * 0x1p-11f,
                           1.0f + 0x1p-8f,
                           1.0f + 3 * 0x1p-8f};
  const auto count = static_cast<std::int64_t>(std::size(special));
  for (std::int64_t i = 0; i < shape.elements(); i += 2) {
    x.view<float>().data[i] = special[i / 2 % count];
  }
  return x;
}

/// As identical(), but one NaN is as good as another.
bool same_numbers(const Tensor& a, const Tensor& b) {
  bool same = a.shape() == b.shape();
  const View<const float> x = a.view<const float>(), z = b.view<const float>();
  for_each_element(a.shape(), [&](int n, int h, int w, int c) {
    const float p = x(n, h, w, c), q = z(n, h, w, c);
    const bool are_nan = p != p && q != q;
    same = same && (are_nan || (p == q && std::signbit(p) == std::signbit(q)));
  });
  return same;
}

op::Conv2d relu_layer(int outputs) { return with(conv(3, outputs, 1), {ActivationKind::kRelu}); }

/// First layer, body with a skip connection around it, last layer with a sum: what networks for images are made of.
Network small_network() {
  const auto weight = [](int k, int c, std::uint64_t seed) {
    return apply(op::Affine{0.1f}, {random_tensor({k, 3, 3, c}, seed)});
  };
  const Tensor first = weight(32, 3, 1), second = weight(32, 32, 2), third = weight(32, 64, 3),
               last = weight(3, 32, 4);
  return [=](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    const Tensor a = apply(relu_layer(32), {in[0], first});
    const Tensor b = apply(relu_layer(32), {a, second});
    const Tensor both = apply(op::Concat{}, {a, b});
    const Tensor c = apply(op::Binary{BinaryKind::kAdd}, {apply(relu_layer(32), {both, third}), b});
    return {apply(op::Binary{BinaryKind::kAdd}, {apply(conv(3, 3, 1), {c, last}), in[0]})};
  };
}

}  // namespace

TEST_CASE("convert: every rung rounds as the reference does, on every instruction set") {
  for (const Shape& shape :
       {Shape{2, 3, 5, 7}, Shape{1, 4, 3, 16}, Shape{1, 1, 1, 1}, Shape{1, 2, 9, 33}}) {
    const Tensor x = awkward_numbers(shape);
    for (const DType type : kNarrowTypes) {
      CAPTURE(name_of(type));
      const Tensor expected = in_type(in_type(x, type), DType::kF32);
      on_every_instruction_set([&](const std::string& target) {
        CAPTURE(target);
        for (const auto& rung : convert_ladder()) {
          if (rung.device != DeviceKind::kCpu) continue;
          CAPTURE(rung.name);
          for (const bool in_slices : {false, true}) {
            const Guarded guarded(x), narrow(shape, type), wide(shape);
            const Tensor y = in_slices ? narrow.tensor() : Tensor::empty(shape, type);
            rung.kernel(in_slices ? guarded.tensor() : x, y);
            rung.kernel(y, wide.tensor());
            CHECK(same_numbers(wide.tensor(), expected));
            CHECK(narrow.intact());
            CHECK(wide.intact());
          }
        }
      });
    }
  }
}

TEST_CASE("narrow: operations that move numbers, or read them, take 16 bits") {
  const Tensor x = random_tensor({2, 4, 6, 19}, 1), z = random_tensor({2, 4, 6, 3}, 2);
  const auto typed = [](auto op) {
    return [op](DType type) {
      auto narrowed = op;
      narrowed.type = type;
      return narrowed;
    };
  };
  check_narrow(op::Concat{}, typed(op::Concat{}), {x, z, x}, 7);
  for (const ResampleMode mode : {ResampleMode::kNearest, ResampleMode::kNearestExact}) {
    const op::Resample resample{.mode = mode, .height = 8, .width = 9};
    check_narrow(resample, typed(resample), {x}, 1);
  }
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    for (const int windows : {1, 3}) {
      const op::AdaptivePool pool{kind, windows, windows};
      check_narrow(
          pool, [&](DType type) { return pool.narrow({}, type, DeviceKind::kCpu)->op; }, {x}, 1);
    }
  }
}

TEST_CASE("narrow: a plan on the CPU keeps images in 16 bits, its inputs and outputs in f32") {
  const Network network = small_network();
  const Shape shape{1, 37, 50, 3};
  const Tensor x = random_tensor(shape, 5);
  const Tensor expected = Plan(network, {shape})({x})[0];
  for (const DType type : kNarrowTypes) {
    CAPTURE(name_of(type));
    Tensor first;  // chains, which depend on sizes and threads, do not show in the numbers
    for (const char* chains : {"never", "always"}) {
      CAPTURE(chains);
      force_variant("row_chain", chains);
      on_one_and_two_threads([&](int) {
        Plan narrow(network, {shape}, nullptr, {.narrow = narrow_images(type)});
        int in_16_bits = 0;
        for (const Step& step : narrow.graph().steps) {
          in_16_bits += narrow.graph().values[step.output].dtype == type ? 1 : 0;
        }
        CHECK(in_16_bits >= 3);
        CHECK(narrow.input(0).dtype() == DType::kF32);
        CHECK(narrow.output(0).dtype() == DType::kF32);
        narrow.poison();
        for (int run = 0; run < 2; ++run) {
          const Tensor y = narrow({x})[0];
          const Deviation deviation = relative_error(y, expected);
          CHECK(deviation < (type == DType::kF16 ? 1e-3 : 1e-2));
          CHECK(deviation.value > 0);
          if (!first) first = y;
          CHECK(identical(y, first));
        }
      });
      clear_forced_variants();
    }
  }
}

TEST_CASE("narrow: a plan for a large picture takes little more than half the memory") {
  const Network network = small_network();
  const Shape shape{1, 1024, 1024, 3};
  const Plan wide(network, {shape});
  for (const DType type : kNarrowTypes) {
    const Plan narrow(network, {shape}, nullptr, {.narrow = narrow_images(type)});
    CHECK(static_cast<double>(narrow.arena_bytes()) <
          0.6 * static_cast<double>(wide.arena_bytes()));
  }
}

}  // namespace mend::test
