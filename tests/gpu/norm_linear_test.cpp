// norm_linear on the GPU, against the reference on the CPU, and what a plan makes of a norm and a linear layer there.
#include "kernels/norm_linear/norm_linear.h"

#include <doctest/doctest.h>

#include "engine/plan.h"
#include "kernels/conv2d/variant.h"
#include "kernels/convert/convert.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/gpu/gpu_rungs.h"
#include "tests/kernels/norm_linear_cases.h"

namespace mend::test {
namespace {

constexpr DType kNarrow[] = {DType::kF16, DType::kBF16};

Tensor rounded(const Tensor& x, DType type) {
  return x ? converted(converted(x, type), DType::kF32) : Tensor();
}

const NormLinearVariant& rung_named(std::string_view name) {
  for (const NormLinearVariant& rung : norm_linear_ladder()) {
    if (rung.name == name) return rung;
  }
  FAIL("there is no rung " << name);
  return norm_linear_ladder().front();
}

/// A case in 16 bits: inputs that the type can hold, and the truth with the norm rounded as two launches round it.
struct NarrowProblem {
  NarrowProblem(const NormLinearCase& problem, DType type) : op(problem.op()) {
    using Op = op::NormLinear;
    inputs = problem.inputs();
    for (const Op::Slot slot : {Op::kX, Op::kWeight, Op::kResidual}) {
      inputs[slot] = rounded(inputs[slot], type);
    }
    const Tensor normal =
        rounded(apply(op.norm, {inputs[Op::kX], inputs[Op::kGamma], inputs[Op::kBeta]}), type);
    op::Conv2d linear = op.linear;
    linear.variant = &conv2d_ladder().front();
    expected = apply(linear, {normal, inputs[Op::kWeight], inputs[Op::kBias], inputs[Op::kSlope],
                              inputs[Op::kResidual]});
    op.norm.type = op.linear.type = type;
  }
  /// Twice what rounding the true result to the type costs.
  double bound() const { return 2 * relative_error(rounded(expected, op.dtype()), expected).value; }

  Tensors on_gpu(const Margins* margins, std::vector<GuardedOnGpu>& guards) const {
    Tensors tensors;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool is_image = i == op::NormLinear::kX || i == op::NormLinear::kResidual;
      const DType type = is_image ? op.dtype() : DType::kF32;
      const bool is_slice = is_image && margins != nullptr && inputs[i];
      tensors.push_back(is_slice ? guards.emplace_back(inputs[i], type, *margins).tensor()
                                 : to_gpu(inputs[i], type));
    }
    return tensors;
  }

  op::NormLinear op;
  Tensors inputs;
  Tensor expected;
};

/// Behind a layer whose result a plan keeps in 16 bits.
Network norm_and_linear(int C, int K) {
  const Tensor before = random_tensor({C, 1, 1, C}, 4);
  const Tensor weight = random_tensor({K, 1, 1, C}, 1), bias = random_tensor(vector_shape(K), 2);
  const Tensor gamma = random_tensor(vector_shape(C), 3);
  return [=](const Tensors& given) {
    op::Conv2d linear;
    linear.outputs = C;
    const Tensor x = apply(linear, {given[0], before});
    linear.outputs = K;
    const Tensor y = apply(linear, {apply(op::LayerNorm{}, {x, gamma}), weight, bias});
    return Tensors{apply(op::Activate{{ActivationKind::kGelu}}, {y})};
  };
}

/// How often a plan has the two as one.
int joined(const Network& network, const Shape& x, const PlanOptions& options) {
  int count = 0;
  const Plan plan(network, {x}, nullptr, options);
  for (const Step& step : plan.graph().steps) count += step.op.as<op::NormLinear>() != nullptr;
  return count;
}

PlanOptions on_gpu_in(DType type) {
  PlanOptions options{.device = &gpu(0)};
  if (type != DType::kF32) options.narrow = narrow_images(type);
  return options;
}

struct Forced {
  Forced(const char* op, const char* rung) { force_variant(op, rung); }
  ~Forced() { clear_forced_variants(); }
};

}  // namespace

TEST_CASE("norm_linear on the GPU: every rung matches the reference") {
  for (const NormLinearCase& problem : kAwkwardNormLinear) {
    const op::NormLinear op = problem.op();
    check_gpu_rungs(norm_linear_ladder(), op, problem.inputs(),
                    [&](const NormLinearKernel& kernel, Inputs in, const Tensor& y) {
                      run_norm_linear(op, kernel, in, y);
                    });
  }
}

TEST_CASE("norm_linear on the GPU: in f16 and bf16 it rounds as two launches do") {
  const NormLinearVariant& rung = rung_named("norm_linear/cuda_f16");
  for (const DType type : kNarrow) {
    CAPTURE(name_of(type));
    for (const NormLinearCase& c : kAwkwardNormLinear) {
      CAPTURE(c.x);
      const NarrowProblem problem(c, type);
      Tensor dense;
      for (const Margins& margins : {Margins{0, 0}, Margins{3, 2}, Margins{8, 8}}) {
        CAPTURE(margins.before);
        std::vector<GuardedOnGpu> guards;
        guards.reserve(2);
        const Tensors operands = problem.on_gpu(margins.before > 0 ? &margins : nullptr, guards);
        const GuardedOnGpu y(problem.expected.shape(), type, margins);
        run_norm_linear(problem.op, rung.kernel, operands, y.tensor());
        const Tensor result = to_host(y.tensor());
        CHECK(relative_error(result, problem.expected) <= problem.bound());
        CHECK(y.intact());
        if (!dense) dense = result;
        CHECK(identical(result, dense));
      }
    }
  }
}

TEST_CASE(
    "norm_linear on the GPU: a pixel far from zero, whose mean is a hundred times its deviation") {
  NormLinearCase problem{{1, 5, 7, 44}, 17};
  std::vector<Tensor> inputs = problem.inputs();
  inputs[0] = apply(op::Affine{1, 100}, {inputs[0]});
  check_gpu_rungs(norm_linear_ladder(), problem.op(), inputs,
                  [&](const NormLinearKernel& kernel, Inputs in, const Tensor& y) {
                    run_norm_linear(problem.op(), kernel, in, y);
                  });
}

TEST_CASE("norm_linear on the GPU: the bits do not depend on the tile") {
  const NormLinearVariant& rung = rung_named("norm_linear/cuda_tf32");
  const NormLinearCase problem{{1, 40, 41, 48}, 144};
  std::vector<Tensor> operands;
  for (const Tensor& input : problem.inputs()) operands.push_back(to_gpu(input));
  const auto result = [&](int h, int w) {
    const Tensor y = Tensor::empty({1, h, w, 144}, DType::kF32, gpu(0));
    run_norm_linear(problem.op(), rung.kernel, operands, y);
    return to_host(y);
  };
  const Tensor whole = result(40, 41);
  operands[0] = operands[0].crop(2, 3, 5, 6);
  CHECK(identical(result(5, 6), whole.crop(2, 3, 5, 6)));
}

TEST_CASE("norm_linear on the GPU: refuses rows that a block has no room for") {
  op::NormLinear op;
  op.linear.outputs = 8;
  const NormLinearVariant& rung = rung_named("norm_linear/cuda_tf32");
  const auto refusal = [&](int C) { return rung.refuses(op, {{1, 2, 2, C}, {8, 1, 1, C}}); };
  CHECK(refusal(544).empty());
  CHECK(refusal(545).find("no room for rows of 545 channels") != std::string::npos);
  CHECK(refusal(20000).find("no room for rows of 20000 channels") != std::string::npos);
  op.norm.type = op.linear.type = DType::kF16;
  CHECK(refusal(384).find("TF32") != std::string::npos);
  const NormLinearVariant& narrow = rung_named("norm_linear/cuda_f16");
  CHECK(narrow.refuses(op, {{1, 2, 2, 1024}, {8, 1, 1, 1024}}).empty());
  CHECK(narrow.refuses(op, {{1, 2, 2, 1025}, {8, 1, 1, 1025}}).find("no room") !=
        std::string::npos);
}

TEST_CASE("norm_linear on the GPU: a plan joins the two where that is modelled to be faster") {
  for (const DType type : {DType::kF32, DType::kF16}) {
    CAPTURE(name_of(type));
    const PlanOptions options = on_gpu_in(type);
    for (const int side : {3, 64}) {  // whatever the image's size
      CHECK(joined(norm_and_linear(60, 180), {1, side, side, 60}, options) == 1);
    }
    CHECK(joined(norm_and_linear(2000, 8), {1, 4, 4, 2000}, options) == 0);
    const Forced apart("layer_norm", "cuda");
    CHECK(joined(norm_and_linear(60, 180), {1, 9, 9, 60}, options) == 0);
  }
}

TEST_CASE("norm_linear on the GPU: a plan gives what the steps give one after the other") {
  const Shape shape{1, 13, 11, 48};
  const Network network = norm_and_linear(48, 96);
  const Tensor x = random_tensor(shape, 4);
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    CAPTURE(name_of(type));
    Plan together(network, {shape}, nullptr, on_gpu_in(type));
    together.poison();
    const Tensor expected = network({x})[0];
    const double bound = type == DType::kF32 ? 1e-3 : type == DType::kF16 ? 2e-3 : 1.6e-2;
    for (int run = 0; run < 2; ++run) {  // the second is recorded
      CHECK(relative_error(together({x})[0], expected) <= bound);
    }
  }
}

}  // namespace mend::test
