// Gradients on the GPU against those on the CPU: of tensors that lie there, and as steps of a plan.
#include "kernels/elementwise/gradient.h"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <vector>

#include "engine/plan.h"
#include "kernels/gradient_tape.h"
#include "kernels/normalization/adaptive_instance.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/global_response.h"
#include "kernels/normalization/normalization.h"
#include "kernels/pool/pool.h"
#include "kernels/rearrange/rearrange.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

/// The gradient of Σ probe · op(inputs) with respect to every input.
Tensors gradients_of(const AnyOp& op, const Tensors& inputs, const Tensor& probe) {
  const auto tape = make_gradient_tape();
  Tensors watched;
  for (const Tensor& input : inputs) watched.push_back(tape->watch(input));
  return tape->gradients({apply(op, Inputs(watched))}, {probe}, watched);
}

void check_gradient(const AnyOp& op, const Tensors& inputs) {
  CAPTURE(op.name());
  CAPTURE(op.describe());
  Tensors all = inputs;
  all.push_back(random_tensor(op.shape(shapes_of(inputs)), 9));
  const Network network = [&](const Tensors& given) {
    return gradients_of(op, {given.begin(), given.end() - 1}, given.back());
  };
  const Tensors expected = network(all);
  Tensors there;
  for (const Tensor& tensor : all) there.push_back(to_gpu(tensor));
  gpu(0).make_current();
  const Tensors at_once = network(there);
  Plan plan(network, shapes_of(all), nullptr, {.device = &gpu(0)});
  plan.poison();
  const Tensors planned = plan(all);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    CAPTURE(i);
    CHECK(relative_error(to_host(at_once[i]), expected[i]) < 1e-5);
    CHECK(relative_error(planned[i], expected[i]) < 1e-5);
  }
}

}  // namespace

TEST_CASE("gpu: gradients of normalizations are those of the CPU") {
  const Shape x{2, 5, 6, 12}, each = vector_shape(12);
  const Tensors with_vectors{random_tensor(x, 1), random_tensor(each, 2), random_tensor(each, 3)};
  check_gradient(op::LayerNorm{}, with_vectors);
  check_gradient(op::LayerNorm{1e-5f, false}, {random_tensor(x, 1)});
  check_gradient(op::PixelNorm{}, {random_tensor(x, 1)});
  check_gradient(op::L2Normalize{}, {random_tensor(x, 1)});
  check_gradient(op::Softmax{}, {random_tensor(x, 1)});
  check_gradient(op::GroupNorm{.groups = 12}, with_vectors);
  check_gradient(op::BatchStatistics{}, {random_tensor(x, 1)});
  const Tensor statistics = apply(op::BatchStatistics{}, {random_tensor(x, 4)});
  check_gradient(op::BatchNorm{},
                 {random_tensor(x, 1), statistics, random_tensor(each, 2), random_tensor(each, 3)});
  check_gradient(op::AdaptiveInstanceNorm{},
                 {random_tensor(x, 1), random_tensor({2, 3, 4, 12}, 2)});
  check_gradient(op::GlobalResponseNorm{}, with_vectors);
}

TEST_CASE("gpu: gradients of poolings, sums and transposing are those of the CPU") {
  const Tensor x = random_tensor({2, 6, 9, 5}, 1);
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    check_gradient(op::Pool{kind, 2, 2}, {random_tensor({2, 6, 8, 5}, 1)});
    check_gradient(op::Pool{kind, 3, 2, 1}, {x});
    check_gradient(op::AdaptivePool{kind, 1, 1}, {x});
    check_gradient(op::AdaptivePool{kind, 4, 5}, {x});
  }
  check_gradient(op::BoxMean{3, 4}, {x});
  check_gradient(op::Transpose{}, {x});
  check_gradient(op::SumTo{{1, 1, 1, 5}}, {x});
  check_gradient(op::SumTo{{2, 1, 1, 1}}, {x, random_tensor(x.shape(), 2)});
}

}  // namespace mend::test
