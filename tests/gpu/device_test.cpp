// The GPU as a device: memory, copies, order and errors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "engine/error.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

std::vector<unsigned char> numbered(std::size_t bytes) {
  std::vector<unsigned char> values(bytes);
  for (std::size_t i = 0; i < bytes; ++i) values[i] = static_cast<unsigned char>(i * 7 + i / 251);
  return values;
}

}  // namespace

TEST_CASE("gpu: the survey names what is there, and a GPU that is not is an error") {
  const GpuSurvey& survey = survey_gpus();
  REQUIRE(!survey.gpus.empty());
  CHECK(survey.why_none.empty());
  CHECK(survey.runtime.size() >= 3);
  CHECK(survey.gpus[0].compute_capability >= 75);
  CHECK(survey.gpus[0].memory_bytes > 1'000'000'000);
  CHECK(gpu(0).name() == "cuda:0");
  CHECK(&gpu(0) == &gpu(0));
  CHECK_THROWS_WITH_AS(gpu(99), doctest::Contains("there is no cuda:99; there are: cuda:0"),
                       DeviceError);
}

TEST_CASE("gpu: bytes come back as they went, whatever their number") {
  Device& device = gpu(0);
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{1000}, std::size_t{4} << 20,
                                  (std::size_t{4} << 20) + 1, (std::size_t{9} << 20) + 13}) {
    CAPTURE(bytes);
    const std::vector<unsigned char> sent = numbered(bytes);
    std::vector<unsigned char> received(bytes, 0);
    const Storage first(bytes, device), second(bytes, device);
    device.copy(first.data(), sent.data(), bytes);
    device.copy(second.data(), first.data(), bytes);
    device.copy(received.data(), second.data(), bytes);
    CHECK(received == sent);
  }
}

TEST_CASE("gpu: what is freed is given out again, and what is cached given back") {
  CudaDevice& device = cuda_device(gpu(0));
  device.synchronize();
  CachingAllocator& allocator = device.allocator();
  allocator.release();
  const std::size_t used = allocator.used_bytes();
  const std::int64_t counted = allocated_bytes();
  void* memory = device.allocate(3'000'000);
  CHECK(allocated_bytes() == counted + 3'000'000);
  CHECK(reinterpret_cast<std::uintptr_t>(memory) % 256 == 0);
  CHECK(allocator.used_bytes() == used + (4 << 20));
  device.free(memory, 3'000'000);
  CHECK(allocated_bytes() == counted);
  CHECK(allocator.cached_bytes() == 4 << 20);
  CHECK(device.allocate(4'000'000) == memory);  // fits
  void* const small = device.allocate(100);     // would waste it
  device.free(memory, 4'000'000);
  CHECK(device.allocate(200) != memory);
  CHECK(allocator.cached_bytes() == 4 << 20);
  device.free(small, 100);
  allocator.release();
  CHECK(allocator.cached_bytes() == 0);
}

TEST_CASE("gpu: more memory than there is is an error that says how much there is") {
  CHECK_THROWS_WITH_AS(gpu(0).allocate(std::size_t{1} << 50),
                       doctest::Contains("cannot allocate 1125899906.8 MB on cuda:0, which has"),
                       OutOfMemory);
  CHECK_NOTHROW(Tensor::zeros({1, 8, 8, 8}, DType::kF32, gpu(0)));  // and goes on
}

TEST_CASE("gpu: tensors are filled, cut and cloned there") {
  const Tensor zeros = Tensor::zeros({1, 3, 5, 7}, DType::kF32, gpu(0));
  CHECK(identical(to_host(zeros), Tensor::full({1, 3, 5, 7}, 0.0f)));
  const Tensor x = random_tensor({2, 6, 5, 9}, 1);
  const Tensor cut = to_gpu(x).crop(1, 2, 4, 3).channels(4, 3);
  CHECK(&cut.device() == &gpu(0));
  CHECK(identical(to_host(cut.clone()), x.crop(1, 2, 4, 3).channels(4, 3).clone()));
}

TEST_CASE("gpu: copies from pinned memory in a stream of their own, ordered by events") {
  CudaDevice& device = cuda_device(gpu(0));
  constexpr std::size_t kBytes = 100'000;
  const PinnedMemory sent(kBytes), received(kBytes);
  const std::vector<unsigned char> values = numbered(kBytes);
  std::memcpy(sent.data(), values.data(), kBytes);
  const Storage memory(kBytes, device);
  const CudaStream copies;
  CudaEvent arrived;
  device.copy_async(memory.data(), sent.data(), kBytes, copies);
  arrived.record(copies);
  arrived.hold_back(device.stream());
  device.copy_async(received.data(), memory.data(), kBytes, device.stream());
  device.synchronize();
  CHECK(std::memcmp(received.data(), values.data(), kBytes) == 0);
}

TEST_CASE("gpu: a call that CUDA refuses becomes an error of ours") {
  CHECK_THROWS_WITH_AS(cuda_check(cudaErrorInvalidValue, "copying"),
                       doctest::Contains("copying failed on cuda:0: "), DeviceError);
  CHECK_THROWS_AS(cuda_check(cudaErrorMemoryAllocation, "copying"), OutOfMemory);
  CHECK_NOTHROW(cuda_check(cudaSuccess, "copying"));
}

}  // namespace mend::test
