// Recordings: what a GPU notes once and does again, the memory that this keeps, and what cannot be noted.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "engine/error.h"
#include "engine/tensor.h"

namespace mend::test {
namespace {

constexpr std::size_t kBytes = 3'000'000;

std::vector<unsigned char> bytes_of(const Storage& storage) {
  std::vector<unsigned char> bytes(storage.bytes());
  storage.device().copy(bytes.data(), storage.data(), bytes.size());
  return bytes;
}

bool all_are(const Storage& storage, unsigned char value) {
  return bytes_of(storage) == std::vector<unsigned char>(storage.bytes(), value);
}

/// Fills working memory with `value`, and copies that to `to`.
void fill_by_way_of_memory(const Storage& to, int value) {
  const Storage working(to.bytes(), to.device());
  to.device().fill(working.data(), value, working.bytes());
  to.device().copy(to.data(), working.data(), to.bytes());
}

}  // namespace

TEST_CASE("gpu: a recording does nothing at first, and then its work as often as it is told to") {
  Device& device = gpu(0);
  const Storage made(kBytes, device);
  device.fill(made.data(), 1, kBytes);
  const Recorded recorded = device.record([&] { fill_by_way_of_memory(made, 7); });
  REQUIRE(recorded.recording != nullptr);
  CHECK(recorded.refusal.empty());
  CHECK(recorded.recording->describe() ==
        "a CUDA graph of 2 nodes, which keeps 4.2 MB of working memory");
  CHECK(all_are(made, 1));
  for (int run = 0; run < 2; ++run) {
    device.fill(made.data(), 2, kBytes);
    recorded.recording->replay();
    CHECK(all_are(made, 7));
  }
}

TEST_CASE("gpu: a recording's working memory is nobody else's until it dies") {
  CudaDevice& device = cuda_device(gpu(0));
  device.synchronize();
  device.allocator().release();
  const std::size_t used = device.allocator().used_bytes();
  const std::int64_t counted = allocated_bytes(), recorded_before = device.recorded_bytes();
  {
    const Storage made(kBytes, device);
    const void* inside = nullptr;
    Recorded recorded = device.record([&] {
      for (int turn = 0; turn < 3; ++turn) {  // the second and third take what the first has freed
        const Storage working(kBytes, device);
        if (inside != nullptr) CHECK(working.data() == inside);
        inside = working.data();
        device.fill(working.data(), turn, kBytes);
        device.copy(made.data(), working.data(), kBytes);
      }
    });
    REQUIRE(recorded.recording != nullptr);
    CHECK(device.recorded_bytes() == recorded_before + (4 << 20));
    CHECK(allocated_bytes() == counted + static_cast<std::int64_t>(kBytes) + (4 << 20));
    std::vector<std::unique_ptr<Storage>> others;
    for (int i = 0; i < 3; ++i) {
      others.push_back(std::make_unique<Storage>(kBytes, device));
      CHECK(others.back()->data() != inside);
      device.fill(others.back()->data(), 100, kBytes);
    }
    recorded.recording->replay();
    CHECK(all_are(made, 2));
    for (const auto& other : others) CHECK(all_are(*other, 100));
    const std::size_t cached = device.allocator().cached_bytes();
    recorded.recording.reset();
    CHECK(device.allocator().cached_bytes() == cached + (4 << 20));
    CHECK(Storage(kBytes, device).data() == inside);
  }
  CHECK(device.recorded_bytes() == recorded_before);
  CHECK(device.allocator().used_bytes() == used);
  CHECK(allocated_bytes() == counted);
}

TEST_CASE("gpu: two recordings do not share working memory") {
  Device& device = gpu(0);
  const Storage first(kBytes, device), second(kBytes, device);
  const void* of_first = nullptr;
  const void* of_second = nullptr;
  const auto record = [&](const Storage& to, int value, const void*& at) {
    return device.record([&, value] {
      const Storage working(kBytes, device);
      at = working.data();
      device.fill(working.data(), value, kBytes);
      device.copy(to.data(), working.data(), kBytes);
    });
  };
  const Recorded one = record(first, 1, of_first), two = record(second, 2, of_second);
  REQUIRE(one.recording != nullptr);
  REQUIRE(two.recording != nullptr);
  CHECK(of_first != of_second);
  two.recording->replay();
  one.recording->replay();
  CHECK(all_are(first, 1));
  CHECK(all_are(second, 2));
}

TEST_CASE("gpu: work that waits, or copies to or from the host, is refused and says so") {
  Device& device = gpu(0);
  const Storage there(kBytes, device);
  std::vector<std::byte> here(kBytes);
  const PinnedMemory pinned(kBytes);
  const auto refusal = [&](const std::function<void()>& work) {
    const Recorded recorded = device.record(work);
    CHECK(recorded.recording == nullptr);
    return recorded.refusal;
  };
  CHECK(refusal([&] { device.synchronize(); }) == "waiting for the GPU cannot be recorded");
  const std::string copy = "a copy between the host and the GPU cannot be recorded";
  CHECK(refusal([&] { device.copy(there.data(), here.data(), kBytes); }) == copy);
  CHECK(refusal([&] { device.copy(here.data(), there.data(), kBytes); }) == copy);
  CHECK(refusal([&] { device.copy(pinned.data(), there.data(), kBytes); }) == copy);
  CHECK(refusal([&] { device.copy_later(there.data(), pinned.data(), kBytes); }) == copy);
  CHECK(refusal([&] { cuda_check(cudaErrorStreamCaptureUnsupported, "a kernel"); }) ==
        "a kernel cannot be recorded: operation not permitted when stream is capturing "
        "(cudaErrorStreamCaptureUnsupported)");
  CHECK(cpu().record([] {}).refusal == "cpu does its work at once");
  // Nothing of it is left over.
  device.synchronize();
  const Recorded after = device.record([&] { fill_by_way_of_memory(there, 3); });
  REQUIRE(after.recording != nullptr);
  after.recording->replay();
  CHECK(all_are(there, 3));
}

TEST_CASE("gpu: a step that keeps its working memory is refused, and may go on using it") {
  CudaDevice& device = cuda_device(gpu(0));
  const std::int64_t counted = allocated_bytes();
  std::unique_ptr<Storage> kept;
  const Recorded recorded =
      device.record([&] { kept = std::make_unique<Storage>(kBytes, device); });
  CHECK(recorded.recording == nullptr);
  CHECK(recorded.refusal.find("keeps working memory") != std::string::npos);
  device.fill(kept->data(), 5, kBytes);
  CHECK(all_are(*kept, 5));
  CHECK(allocated_bytes() == counted + static_cast<std::int64_t>(kBytes));
  kept.reset();
  CHECK(allocated_bytes() == counted);
}

TEST_CASE("gpu: what the recorded work throws comes through, and the next recording works") {
  Device& device = gpu(0);
  const Storage made(kBytes, device);
  CHECK_THROWS_WITH_AS(device.record([&] {
    const Storage working(kBytes, device);
    throw ShapeError("of the work");
  }),
                       "of the work", ShapeError);
  const Recorded recorded = device.record([&] { fill_by_way_of_memory(made, 4); });
  REQUIRE(recorded.recording != nullptr);
  recorded.recording->replay();
  CHECK(all_are(made, 4));
}

TEST_CASE("gpu: recordings keep a bounded part of the GPU's memory") {
  CudaDevice& device = cuda_device(gpu(0));
  RecordedMemory memory(device.allocator(), 8 << 20);
  void* const first = memory.allocate(3 << 20);
  void* const second = memory.allocate(3 << 20);
  CHECK(memory.bytes() == 8 << 20);
  const std::size_t used = device.allocator().used_bytes();
  CHECK_THROWS_WITH_AS(memory.allocate(1000), doctest::Contains("8.4 MB are left"), NotRecordable);
  CHECK(device.allocator().used_bytes() == used);
  CHECK(memory.free(first));
  CHECK(memory.allocate(4 << 20) == first);
  CHECK(!memory.free(&device));
  CHECK(memory.free(first));
  CHECK(memory.free(second));
  CHECK(!memory.in_use());

  const auto much = static_cast<std::size_t>(device.info().memory_bytes / 6);
  const Recorded recorded = device.record([&] { const Storage working(much, device); });
  CHECK(recorded.recording == nullptr);
  CHECK(recorded.refusal.find("are left for those of recordings") != std::string::npos);
}

TEST_CASE("gpu: other threads go on while one records") {
  Device& device = gpu(0);
  const Storage recorded_into(kBytes, device), others(kBytes, device);
  const Recorded recorded = device.record([&] {
    std::thread([&] {
      fill_by_way_of_memory(others, 9);
      device.synchronize();
      CHECK(all_are(others, 9));
    }).join();
    fill_by_way_of_memory(recorded_into, 8);
  });
  REQUIRE(recorded.recording != nullptr);
  device.fill(others.data(), 1, kBytes);
  recorded.recording->replay();
  CHECK(all_are(recorded_into, 8));
  CHECK(all_are(others, 1));
}

TEST_CASE("gpu: uploads and downloads beside the computing bring what was sent, in turn") {
  Device& device = gpu(0);
  const Storage place(kBytes, device);
  const std::unique_ptr<DeviceUpload> upload = device.make_upload(kBytes);
  const std::unique_ptr<DeviceDownload> first = device.make_download(kBytes),
                                        second = device.make_download(kBytes);
  const auto send = [&](int value) {
    std::fill_n(upload->host(), kBytes, static_cast<std::byte>(value));
    upload->send(place.data(), kBytes);
  };
  for (int turn = 0; turn < 4; ++turn) {
    send(2 * turn);
    first->fetch(place.data(), kBytes);
    send(2 * turn + 1);
    second->fetch(place.data(), kBytes);
    device.fill(place.data(), 0xFF, kBytes);
    CHECK(first->host()[kBytes - 1] == static_cast<std::byte>(2 * turn));
    CHECK(second->host()[0] == static_cast<std::byte>(2 * turn + 1));
  }
  CHECK(cpu().make_upload(1) == nullptr);
  CHECK(cpu().make_download(1) == nullptr);
}

}  // namespace mend::test
