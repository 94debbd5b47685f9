// Gradients that GPUs average between them, on a test double of NCCL: who joins, what is averaged, and errors. The real
// library needs several GPUs, and so has not run here.
#include "engine/cuda/nccl.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/gpu.h"
#include "engine/gpu_mean.h"
#include "engine/optional_libraries.h"
#include "tests/gpu/small_training.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "tests/train/thread_replicas.h"
#include "tests/train/workplace.h"
#include "train/joined_gpus.h"

namespace mend::test {
namespace {

/// As long as it lives, NCCL is the double, which fails as `fault` says; or what `library` names.
struct Found {
  explicit Found(const char* fault = "", const char* library = MEND_NCCL_DOUBLE) {
    setenv("MEND_NCCL", library, 1);
    setenv("MEND_NCCL_DOUBLE", fault, 1);
  }
  ~Found() {
    unsetenv("MEND_NCCL");
    unsetenv("MEND_NCCL_DOUBLE");
  }
  Found(const Found&) = delete;
  Found& operator=(const Found&) = delete;
};

using Strings = std::vector<std::string>;

/// What join_gpus says on each of two ranks, "joined" if they are.
Strings answers(Device& first, Device& second) {
  Strings said(2);
  const Strings thrown = on_replicas(2, [&](const std::shared_ptr<Replicas>& replicas) {
    const JoinedGpus joined = join_gpus(*replicas, replicas->leads() ? first : second);
    said[static_cast<std::size_t>(replicas->rank())] = joined.mean ? "joined" : joined.why_not;
  });
  CHECK(thrown == Strings(2));
  return said;
}

}  // namespace

// The first case that asks for the library: once found, it stays.
TEST_CASE("nccl: without the library nobody joins, and every rank knows why") {
  const Found found("", "/nowhere/libnccl.so.2");
  const std::string why =
      "there is no NCCL: /nowhere/libnccl.so.2: cannot open shared object file: No such file or "
      "directory; MEND_NCCL names it";
  CHECK(answers(gpu(0), gpu(0, 1)) == Strings(2, why));
  CHECK(describe_nccl() == why);
}

TEST_CASE("nccl: GPUs join where all ranks can, and its version is told") {
  const Found found;
  CHECK(answers(gpu(0), gpu(0, 1)) == Strings(2, "joined"));
  CHECK(describe_nccl() == std::string("2.23.4 (") + MEND_NCCL_DOUBLE + ")");
  CHECK(answers(gpu(0), cpu()) == Strings{"another process cannot", "it trains on a CPU"});
  CHECK(answers(cpu(), cpu()) == Strings(2, "it trains on a CPU"));
  const JoinedGpus one = join_gpus(*alone(), gpu(0));
  CHECK(one.mean == nullptr);
  CHECK(one.why_not.empty());
}

TEST_CASE("nccl: a rank that cannot join has the others do without, too") {
  const Found found("join");
  const Strings said = answers(gpu(0), gpu(0, 1));
  CHECK(said[0] == "another process cannot");
  CHECK(said[1] ==
        "ncclCommInitRank failed on cuda:0: invalid usage (5); NCCL_DEBUG=INFO has it say more");
}

TEST_CASE("nccl: tensors become their means on all ranks, in the order of the GPU's work") {
  const Found found;
  const Strings thrown = on_replicas(3, [](const std::shared_ptr<Replicas>& replicas) {
    Device& device = gpu(0, replicas->rank());
    const JoinedGpus joined = join_gpus(*replicas, device);
    if (!joined.mean) throw DeviceError(joined.why_not);
    Tensors here, expected;
    for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 7}, Shape{1, 1, 1, 70001}}) {
      Tensors of_ranks;
      for (std::uint64_t rank = 0; rank < 3; ++rank) {
        of_ranks.push_back(random_tensor(shape, 10 * rank + 1));
      }
      here.push_back(of_ranks[static_cast<std::size_t>(replicas->rank())].on(device));
      Tensor mean = Tensor::empty(shape);
      for (std::int64_t i = 0; i < shape.elements(); ++i) {
        double sum = 0;
        for (const Tensor& of_rank : of_ranks) sum += of_rank.view<const float>().data[i];
        mean.view<float>().data[i] = static_cast<float>(sum / 3);
      }
      expected.push_back(mean);
    }
    here.emplace_back();  // a parameter without a gradient
    joined.mean->average(here);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (relative_error(here[i].on(cpu()), expected[i]).value > 1e-6)
        throw DeviceError("not the mean");
    }
  });
  CHECK(thrown == Strings(3));
}

TEST_CASE("nccl: an error of another rank's GPU ends the next mean") {
  const Found found("later");
  const Strings thrown = on_replicas(2, [](const std::shared_ptr<Replicas>& replicas) {
    Device& device = gpu(0, replicas->rank());
    join_gpus(*replicas, device).mean->average({random_tensor({1, 1, 1, 5}, 1).on(device)});
  });
  CHECK(thrown == Strings(2,
                          "the sum of an earlier step failed on cuda:0: remote process exited or "
                          "there was a network error (6); NCCL_DEBUG=INFO has it say more"));
}

TEST_CASE("nccl: a training that averages by it has the bits of one that goes through the host") {
  const Found found;
  const Workplace place;
  for (const std::string& changes :
       {std::string(R"(, "loss": "mse", "accumulate": 2)"), std::string(kSmallAdversary)}) {
    CAPTURE(changes);
    Recipe recipe = small_recipe(place, changes);
    recipe.batch = 4;
    const auto folder_of = [&](bool by_nccl) {
      return place.folder((by_nccl ? "nccl" : "host") + std::to_string(changes.size()));
    };
    for (const bool by_nccl : {false, true}) {
      const Strings thrown = on_replicas(2, [&](const std::shared_ptr<Replicas>& replicas) {
        Device& device = gpu(0, replicas->rank());
        std::unique_ptr<GpuMean> gpus;
        if (by_nccl) gpus = join_gpus(*replicas, device).mean;
        if (by_nccl != (gpus != nullptr)) throw DeviceError("not joined");
        on(device, recipe, folder_of(by_nccl), replicas, std::move(gpus)).run({});
      });
      CHECK(thrown == Strings(2));
    }
    CHECK(bytes_of(folder_of(true) + "/state.safetensors") ==
          bytes_of(folder_of(false) + "/state.safetensors"));
  }
}

}  // namespace mend::test
