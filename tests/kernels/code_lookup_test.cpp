#include "kernels/code_lookup/code_lookup.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/error.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor looked_up(CodeLookupKernel kernel, const std::vector<float>& logits) {
  const int count = static_cast<int>(logits.size());
  std::vector<float> numbers;
  for (int k = 0; k < count; ++k) numbers.push_back(static_cast<float>(k));
  const Tensor y = Tensor::empty({1, 1, 1, 1});
  kernel(Tensor::from(vector_shape(count), logits).view<const float>(),
         Tensor::from({1, 1, count, 1}, numbers).view<const float>(), y.view<float>());
  return y;
}

}  // namespace

TEST_CASE("code_lookup: every rung matches the reference") {
  for (const int count : {1, 2, 15, 16, 17, 100, 1024}) {
    for (const Shape& shape : {Shape{1, 1, 1, count}, Shape{2, 3, 7, count}}) {
      check_rungs(code_lookup_ladder(), op::CodeLookup{},
                  {random_tensor(shape, 1), random_tensor({1, 1, count, 5}, 2)},
                  [](CodeLookupKernel kernel, Inputs in, const Tensor& y, Scratch) {
                    kernel(in[0].view<const float>(), in[1].view<const float>(), y.view<float>());
                  });
    }
  }
}

TEST_CASE("code_lookup: of equal logits the first is taken, and a NaN is not hidden") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const auto& rung : code_lookup_ladder()) {
    if (rung.device != DeviceKind::kCpu) continue;
    CAPTURE(rung.name);
    on_every_instruction_set([&](const std::string& target) {
      CAPTURE(target);
      for (const std::size_t length : {3, 8, 16, 37, 70}) {
        for (std::size_t at = 0; at < length; ++at) {
          std::vector<float> logits(length, -2);
          logits[at] = 5;
          logits[length - 1] = 5;
          CHECK(looked_up(rung.kernel, logits).view<const float>().data[0] ==
                static_cast<float>(at));
          logits[at] = kNan;
          CHECK(std::isnan(looked_up(rung.kernel, logits).view<const float>().data[0]));
        }
      }
      const std::vector<float> lowest(20, -infinity);
      CHECK(looked_up(rung.kernel, lowest).view<const float>().data[0] == 0);
      CHECK(looked_up(rung.kernel, {-1, infinity, 3}).view<const float>().data[0] == 1);
    });
  }
}

TEST_CASE("code_lookup: codes that do not fit are refused; cost and footprint") {
  const op::CodeLookup lookup;
  CHECK(lookup.shape({{2, 3, 4, 10}, {1, 1, 10, 6}}) == Shape{2, 3, 4, 6});
  CHECK_THROWS_AS(lookup.shape({{1, 1, 4, 10}, {1, 1, 9, 6}}), ShapeError);
  CHECK_THROWS_AS(lookup.shape({{1, 1, 4, 10}, {1, 2, 10, 6}}), ShapeError);
  CHECK(lookup.cost({{1, 1, 4, 10}, {1, 1, 10, 6}}).bytes == 4 * (40 + 2 * 24));
  CHECK(!lookup.footprint({}).global);
}

}  // namespace mend::test
