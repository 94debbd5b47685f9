// conv2d/cudnn on a test double of cuDNN: descriptors, strides, workspace, recording and errors. The real library
// needs a driver, and so has not run here.
#include "engine/cuda/cudnn.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "engine/error.h"
#include "engine/ladder.h"
#include "engine/optional_libraries.h"
#include "engine/plan.h"
#include "tests/gpu/conv2d_problem.h"
#include "tests/train/lessons.h"

namespace mend::test {
namespace {

/// As long as it lives, `rung` of conv2d is forced, and cuDNN is the double, or what `library` names.
struct Forced {
  explicit Forced(const std::string& rung, const char* library = MEND_CUDNN_DOUBLE) {
    setenv("MEND_CUDNN", library, 1);
    force_variant("conv2d", rung);
  }
  ~Forced() {
    clear_forced_variants();
    unsetenv("MEND_CUDNN");
  }
  Forced(const Forced&) = delete;
  Forced& operator=(const Forced&) = delete;
};

const Conv2dVariant& rung_named(std::string_view name) {
  for (const Conv2dVariant& rung : conv2d_ladder()) {
    if (rung.name == name) return rung;
  }
  FAIL("there is no rung ", name);
  return conv2d_ladder().front();
}

/// What a forced rung says against a layer of f32.
std::string refusal(std::string_view rung, PaddingMode mode = PaddingMode::kZeros) {
  return rung_named(rung).refuses(conv(3, 8, 1, 1, 1, 1, mode), {{1, 9, 9, 8}, {8, 3, 3, 8}});
}

}  // namespace

// The first case that asks for the library: once found, it stays.
TEST_CASE(
    "cudnn: without the library a forced rung says what is missing and where it was looked for") {
  const Forced forced("cudnn", "/nowhere/libcudnn.so.9");
  CHECK(refusal("conv2d/cudnn") ==
        "cannot run: there is no cuDNN: /nowhere/libcudnn.so.9: cannot open shared object file: No "
        "such file or directory; MEND_CUDNN names it");
  CHECK(describe_cudnn().find("/nowhere/libcudnn.so.9") != std::string::npos);
  const Network network = [](const Tensors& given) {
    const Tensor weight = random_tensor({8, 3, 3, 3}, 1);
    return Tensors{apply(conv(3, 8, 1), {given[0], weight})};
  };
  CHECK_THROWS_WITH_AS(Plan(network, {{1, 9, 9, 3}}, nullptr, {.device = &gpu(0)}),
                       doctest::Contains("conv2d/cudnn was forced but cannot run"), UsageError);
}

TEST_CASE("cudnn: nothing runs on it, or looks for it, that was not told to") {
  const op::Conv2d op = conv(3, 8, 1);
  CHECK(refusal("conv2d/cudnn") == "runs only where --kernel conv2d=cudnn asks for it");
  CHECK(choose(conv2d_ladder(), op, op.typical({{1, 9, 9, 8}, {8, 3, 3, 8}}), DeviceKind::kCuda)
            .name.find("cudnn") == std::string_view::npos);
}

TEST_CASE("cudnn: the library's version is told, and padding by pixels refused") {
  const Forced forced("cudnn_fma");
  CHECK(describe_cudnn() == std::string("9.0.1 (") + MEND_CUDNN_DOUBLE + ")");
  CHECK(refusal("conv2d/cudnn_fma").empty());
  CHECK(refusal("conv2d/cudnn_fma", PaddingMode::kReflect) == "pads with zeros alone");
  CHECK(refusal("conv2d/cudnn") == "runs only where --kernel conv2d=cudnn asks for it");
}

TEST_CASE("cudnn: layers of every kind match the reference in every type, dense and in slices") {
  for (const char* name : {"conv2d/cudnn", "conv2d/cudnn_fma"}) {
    const Conv2dVariant& rung = rung_named(name);
    const Forced forced(name + sizeof("conv2d"));
    for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
      CAPTURE(name_of(type));
      int tried = 0;
      for (const ConvCase& c : awkward_convolutions()) {
        CAPTURE(c);
        const Conv2dProblem problem(c, type);
        if (!rung.refuses(problem.op, shapes_of(problem.inputs)).empty()) continue;
        check_rung(problem, rung);
        ++tried;
      }
      const bool is_able = type == DType::kF32 || rung.name == "conv2d/cudnn";
      CHECK((tried > 20) == is_able);
    }
  }
}

TEST_CASE("cudnn: a plan that it runs in is recorded, and its bits stay") {
  const Forced forced("cudnn");
  const Model model = small_denoiser();
  Plan plan(model.forward, {{1, 12, 15, 3}}, nullptr, {.device = &gpu(0)});
  const Tensor x = random_tensor({1, 12, 15, 3}, 1);
  const Tensor first = plan({x})[0];
  CHECK(plan.recording() == nullptr);
  CHECK(identical(plan({x})[0], first));
  CHECK(plan.recording() != nullptr);
  CHECK(identical(plan({x})[0], first));
  Plan elsewhere(model.forward, {{1, 12, 15, 3}}, nullptr, {.device = &gpu(0, 1)});
  CHECK(identical(elsewhere({x})[0], first));
}

TEST_CASE("cudnn: what it cannot do is an error that names the call, the GPU and the reason") {
  const Forced forced("cudnn");
  const Conv2dProblem problem({"refused by the double", {1, 13, 99, 4}, conv(3, 4, 1)},
                              DType::kF32);
  const Tensor y = Tensor::empty(problem.expected.shape(), DType::kF32, gpu(0));
  CHECK_THROWS_WITH_AS(problem.run(rung_named("conv2d/cudnn"), problem.on_gpu(), y),
                       "cudnnConvolutionForward failed on cuda:0: CUDNN_STATUS_NOT_SUPPORTED "
                       "(3000); choose another --kernel",
                       DeviceError);
}

}  // namespace mend::test
