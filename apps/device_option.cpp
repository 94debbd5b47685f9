#include "apps/device_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "apps/program.h"
#include "engine/error.h"
#include "engine/gpu.h"
#include "engine/log.h"

namespace mend {
namespace {

constexpr std::string_view kFirst = "cuda", kNumbered = "cuda:", kAll = "cuda:all";

[[noreturn]] void refuse(const std::string& device) {
  throw UsageError(fmt::format(
      "--device {}: choose auto, cpu, cuda:0, several such as cuda:0,cuda:1, or cuda:all", device));
}

/// The number in "cuda:N".
int gpu_index(const std::string& device, std::string_view name) {
  if (!name.starts_with(kNumbered)) refuse(device);
  name.remove_prefix(kNumbered.size());
  int index = 0;
  const char* const end = name.data() + name.size();
  const auto [used, error] = std::from_chars(name.data(), end, index);
  if (error != std::errc() || used != end) refuse(device);
  return index;
}

/// Throws what `ask` throws with the option in front, and what to do behind it.
template <class Ask>
auto asked(const std::string& device, const Ask& ask) {
  try {
    return ask();
  } catch (const DeviceError& error) {
    throw DeviceError(fmt::format("--device {}: {}; use --device cpu", device, error.what()));
  }
}

/// Of a GPU that there is.
const GpuInfo& info_of(int index) {
  return *std::ranges::find(survey_gpus().gpus, index, &GpuInfo::index);
}

}  // namespace

std::vector<int> gpus_named(const std::string& device) {
  if (device == "auto" || device == "cpu") return {};
  if (device == kFirst) return {0};
  std::vector<int> indices;
  if (device == kAll) {
    const GpuSurvey& survey = survey_gpus();
    for (const GpuInfo& info : survey.gpus) indices.push_back(info.index);
    if (indices.empty()) {
      asked(device, [&]() -> int { throw DeviceError(survey.why_none); });
    }
    return indices;
  }
  for (std::size_t begin = 0; begin <= device.size();) {
    const std::size_t end = std::min(device.find(',', begin), device.size());
    indices.push_back(gpu_index(device, std::string_view(device).substr(begin, end - begin)));
    begin = end + 1;
  }
  return indices;
}

Devices devices_named(const std::string& device) {
  const std::vector<int> indices = gpus_named(device);
  if (indices.empty()) return {&cpu()};
  Devices devices;
  for (auto index = indices.begin(); index != indices.end(); ++index) {
    const auto before = std::count(indices.begin(), index, *index);
    devices.push_back(asked(device, [&] { return &gpu(*index, static_cast<int>(before)); }));
  }
  return devices;
}

void tell_unlike_gpus(const std::string& device) {
  const std::vector<int> indices = gpus_named(device);
  for (const int index : indices) {
    const GpuInfo &first = info_of(indices.front()), &other = info_of(index);
    if (other.name == first.name) continue;
    return inform(fmt::format(
        "cuda:{} is {}, cuda:{} is {}: the last bits of a result depend on which GPU computes it",
        first.index, first.name, other.index, other.name));
  }
}

std::int64_t usual_memory_of(const std::string& device) {
  const std::vector<int> indices = gpus_named(device);
  if (indices.empty()) return usual_memory();
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const int index : indices) {
    // The rest is for kernels' working memory, and for other programs.
    least =
        std::min(least, info_of(index).memory_bytes / 4 * 3 / std::ranges::count(indices, index));
  }
  return least;
}

}  // namespace mend
