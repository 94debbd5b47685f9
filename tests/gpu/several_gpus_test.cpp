// Several GPUs: whose calls go where, and pictures and tiles that they share out. The simulator has one GPU, which
// several devices stand for here.
#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "engine/error.h"
#include "kernels/cuda/cuda_kept_tables.h"
#include "restore/picture_queue.h"
#include "restore/restore.h"
#include "tests/gpu/on_gpu.h"
#include "tests/restore/make_images.h"
#include "tests/restore/own_model.h"
#include "tests/support/guarded.h"
#include "tests/train/lessons.h"

namespace mend::test {
namespace {

Devices several(int count) {
  Devices devices;
  for (int i = 0; i < count; ++i) devices.push_back(&gpu(0, i));
  return devices;
}

/// What is left of its GPU's memory, down to pieces of 64 KB.
std::vector<Tensor> all_memory_of(Device& device) {
  std::vector<Tensor> hog;
  for (int bits = 30; bits >= 16;) {
    try {
      hog.push_back(
          Tensor::empty({1, 1 << (bits / 2), 1 << (bits - bits / 2), 1}, DType::kU8, device));
    } catch (const OutOfMemory&) {
      --bits;
    }
  }
  return hog;
}

RestoreOptions in_tiles(const Devices& devices) {
  RestoreOptions options;
  options.tiles.mode = TileOptions::Mode::kFixed;
  options.tiles.size = 16;
  options.tiles.devices = devices;
  return options;
}

/// Each of `pictures` as a lane makes it; a thread a lane. Lane `broken` fails at its first picture.
std::vector<Image> restored(const Model& model, const std::vector<Image>& pictures,
                            const Devices& devices, std::size_t broken = 99) {
  const std::vector<Devices> lanes = lanes_of(devices, pictures.size());
  PictureQueue queue(pictures.size(), lanes.size());
  std::vector<Image> results(pictures.size());
  const auto run_lane = [&](std::size_t lane) {
    Restorer restorer(model);
    while (const auto picture = queue.take()) {
      if (lane == broken && queue.hand_on(*picture)) return;
      results[*picture] = restorer.restore(pictures[*picture], in_tiles(lanes[lane]));
      queue.finish();
    }
  };
  std::vector<std::future<void>> ends;
  for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
    ends.push_back(std::async(std::launch::async, run_lane, lane));
  }
  for (auto& end : ends) end.get();
  return results;
}

}  // namespace

TEST_CASE("several gpus: devices of one GPU have names, streams and memory of their own") {
  CudaDevice &first = cuda_device(gpu(0)), &second = cuda_device(gpu(0, 1));
  CHECK(&second != &first);
  CHECK(&gpu(0, 1) == &second);
  CHECK(second.name() == "cuda:0#2");
  CHECK(second.stream() != first.stream());
  const std::size_t used = first.allocator().used_bytes();
  const Tensor there = Tensor::zeros({1, 64, 64, 4}, DType::kF32, second);
  CHECK(first.allocator().used_bytes() == used);
  CHECK(second.allocator().used_bytes() > 0);
  CHECK(&there.device() == &second);
}

TEST_CASE("several gpus: what one device of a GPU keeps for later is another's that needs it") {
  constexpr std::size_t kBytes = std::size_t{1200} << 20;  // of the simulator's 2 GB
  const CachingAllocator& second = cuda_device(gpu(0, 1)).allocator();
  gpu(0, 1).free(gpu(0, 1).allocate(kBytes), kBytes);
  CHECK(second.cached_bytes() >= kBytes);
  CHECK_NOTHROW(Storage(kBytes, gpu(0)));
  const bool fits_both = survey_gpus().gpus[0].memory_bytes > 2 * std::int64_t{kBytes};
  CHECK((second.cached_bytes() == 0) == !fits_both);
}

TEST_CASE("several gpus: a thread launches where it said last, whoever else allocates") {
  CudaDevice &first = cuda_device(gpu(0)), &second = cuda_device(gpu(0, 1));
  first.make_current();
  const Storage elsewhere(3'000'000, second);
  CHECK(&current_cuda_device() == &first);
  std::thread([&] {
    second.make_current();
    CHECK(&current_cuda_device() == &second);
  }).join();
  CHECK(&current_cuda_device() == &first);
}

TEST_CASE("several gpus: each has its own copy of a kept table") {
  const auto table = [](Device& device) {
    device.make_current();
    return kept_table("of several", [] { return std::vector<std::byte>(8); });
  };
  const Tensor first = table(gpu(0)), second = table(gpu(0, 1));
  CHECK(&first.device() == &gpu(0));
  CHECK(&second.device() == &gpu(0, 1));
  CHECK(table(gpu(0)).address() == first.address());
}

TEST_CASE("several gpus: lanes have as many GPUs as there are for each picture") {
  const Devices five = several(5);
  CHECK(lanes_of(five, 1) == std::vector<Devices>{five});
  CHECK(lanes_of(five, 2) == std::vector<Devices>{{five[0], five[2], five[4]}, {five[1], five[3]}});
  CHECK(lanes_of(five, 100).size() == 5);
  CHECK(lanes_of({&cpu()}, 100) == std::vector<Devices>{{&cpu()}});
}

TEST_CASE("several gpus: the tiles of a picture have the same bits on any number of them") {
  Model model = small_denoiser();
  const Image picture = pattern_image(61, 45, 3, 16);  // 12 tiles
  for (const Precision precision : {Precision::kF32, Precision::kF16}) {
    RestoreOptions options = in_tiles(several(1));
    options.tiles.precision = precision;
    const Image alone = restore(model, picture, options);
    for (const int count : {2, 3, 5, 13}) {
      CAPTURE(count);
      options.tiles.devices = several(count);
      CHECK(restore(model, picture, options).bytes == alone.bytes);
    }
  }
}

TEST_CASE("several gpus: tiles are blended in their order, whoever made them") {
  Model model = load_model(initial_checkpoint(
      architecture_named("dncnn"),
      {{"in_nc", 3}, {"out_nc", 3}, {"nc", 8}, {"nb", 7}, {"act_mode", "R"}}, 1));
  model.traits.overlap = 4;  // and it sees 7 pixels
  const Image picture = pattern_image(50, 40, 3, 16);
  RestoreReport report;
  const Image alone = restore(model, picture, in_tiles(several(1)), &report);
  CHECK(std::string(report.tiling.kind()) == "blended");
  for (const int count : {2, 3}) {
    CHECK(restore(model, picture, in_tiles(several(count))).bytes == alone.bytes);
  }
}

TEST_CASE("several gpus: pictures that they share out have the same bits on any number of them") {
  const Model model = small_denoiser();
  std::vector<Image> pictures;
  for (int i = 0; i < 5; ++i) pictures.push_back(pattern_image(20 + 12 * (i % 2), 24 + i, 3, 8));
  std::vector<Image> alone;
  for (const Image& picture : pictures) {
    alone.push_back(restore(model, picture, in_tiles(several(1))));
  }
  const auto check_all = [&](const std::vector<Image>& results) {
    for (std::size_t i = 0; i < alone.size(); ++i) CHECK(results[i].bytes == alone[i].bytes);
  };
  for (const int count : {1, 2, 3}) {
    CAPTURE(count);
    check_all(restored(model, pictures, several(count)));
  }
  check_all(restored(model, pictures, several(3), 0));  // the others do the first's
  check_all(restored(model, {pictures[0], pictures[1], pictures[2], pictures[3], pictures[4]},
                     several(2), 1));
}

TEST_CASE(
    "several gpus: one that is out of memory has all of them begin again with smaller tiles") {
  const Model model = own_model("halves", TilePolicy::kExactHalo,
                                [](const Tensors& given) { return Tensors{0.5f * given[0]}; });
  const Image picture = pattern_image(1024, 512, 3, 8);
  RestoreOptions options = in_tiles(several(2));
  options.tiles.size = 512;  // a plan and its lane take 14 MB on each, of tiles of 256 5
  const Image expected = restore(model, picture, options);
  Device& second = gpu(0, 1);
  std::optional<Storage> room(std::in_place, 24 << 20, second);
  const std::vector<Tensor> hog = all_memory_of(second);
  room.reset();
  RestoreReport report;
  const Image result = restore(model, picture, options, &report);
  CHECK(std::min(report.tiling.cut.core_w, report.tiling.cut.core_h) < 512);
  CHECK(!report.tiling.whole());
  CHECK(result.bytes == expected.bytes);
}

TEST_CASE("several gpus: an error of one comes through, and the others are left in order") {
  Model model = small_denoiser();
  const Image picture = pattern_image(61, 45, 3, 8);
  const RestoreOptions options = in_tiles(several(3));
  const Image expected = restore(model, picture, options);
  int tiles = 0;
  RestoreOptions failing = options;
  failing.tiles.progress = [&](int, int) {
    if (++tiles == 5) throw DeviceError("copying failed on cuda:0");
  };
  CHECK_THROWS_WITH_AS(restore(model, picture, failing), "copying failed on cuda:0", DeviceError);
  CHECK(restore(model, picture, options).bytes == expected.bytes);
}

}  // namespace mend::test
