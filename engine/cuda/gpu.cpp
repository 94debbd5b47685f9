// engine/gpu.h with CUDA.
#include "engine/gpu.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <mutex>

#include "engine/cuda/cuda_device.h"
#include "engine/cuda/devices.h"
#include "engine/error.h"

namespace mend {
namespace {

constexpr int kOldest = 75;  // Turing: the oldest that CUDA 13 compiles for

/// 13020 -> "13.2"
std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

std::string why_none(cudaError_t status, const GpuSurvey& survey) {
  if (survey.driver.empty()) return "no NVIDIA driver is installed";
  if (status == cudaErrorInsufficientDriver) {
    return fmt::format("the NVIDIA driver knows CUDA {}, this build needs {}", survey.driver,
                       survey.runtime);
  }
  if (status == cudaErrorNoDevice || status == cudaSuccess) {
    return "the NVIDIA driver finds no GPU";
  }
  return fmt::format("the NVIDIA driver says: {}", cudaGetErrorString(status));
}

GpuSurvey survey() {
  GpuSurvey survey;
  int version = 0;
  if (cudaRuntimeGetVersion(&version) == cudaSuccess) survey.runtime = version_text(version);
  if (cudaDriverGetVersion(&version) == cudaSuccess && version > 0) {
    survey.driver = version_text(version);
  }
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (status != cudaSuccess) count = 0;
  survey.why_none = why_none(status, survey);
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp gpu{};
    if (cudaGetDeviceProperties(&gpu, index) != cudaSuccess) continue;
    const int capability = gpu.major * 10 + gpu.minor;
    if (capability < kOldest) {
      survey.why_none = fmt::format("{} has compute capability {}.{}, this build needs {}.{}",
                                    gpu.name, gpu.major, gpu.minor, kOldest / 10, kOldest % 10);
      continue;
    }
    survey.gpus.push_back({index, gpu.name, capability,
                           static_cast<std::int64_t>(gpu.totalGlobalMem), gpu.multiProcessorCount});
  }
  if (!survey.gpus.empty()) survey.why_none.clear();
  return survey;
}

/// Devices of one GPU, as many as were asked for.
using Instances = std::vector<std::unique_ptr<CudaDevice>>;

struct Made {
  std::mutex mutex;
  std::map<int, Instances> devices;  // by GPU
};

Made& made() {
  // Never destroyed: at the end of the process the CUDA runtime may be gone before them.
  static auto& devices = *new Made;
  return devices;
}

CudaDevice& nth(int instance, Instances& devices, const GpuInfo& info) {
  const OnGpu there(info.index);
  if (devices.empty()) {
    // Who waits for the GPU sleeps: the processor's cores have decoding and samples to do meanwhile.
    cuda_check(
        cudaInitDevice(info.index, cudaDeviceScheduleBlockingSync, cudaInitDeviceFlagsAreValid),
        "waking a GPU");
  }
  while (std::ssize(devices) <= instance) {
    devices.push_back(std::make_unique<CudaDevice>(info, static_cast<int>(devices.size())));
  }
  return *devices[static_cast<std::size_t>(instance)];
}

}  // namespace

const GpuSurvey& survey_gpus() {
  static const GpuSurvey kSurvey = survey();
  return kSurvey;
}

Device& gpu(int index, int instance) {
  const GpuSurvey& found = survey_gpus();
  if (found.gpus.empty()) throw DeviceError(found.why_none);
  std::string known;
  for (const GpuInfo& info : found.gpus) {
    known += fmt::format(" cuda:{}", info.index);
    if (info.index != index) continue;
    const std::scoped_lock lock(made().mutex);
    return nth(instance, made().devices[index], info);
  }
  throw DeviceError(fmt::format("there is no cuda:{}; there are:{}", index, known));
}

void release_cached_memory(int gpu) {
  const std::scoped_lock lock(made().mutex);
  for (const std::unique_ptr<CudaDevice>& device : made().devices[gpu]) {
    device->allocator().release();
  }
}

}  // namespace mend
