#include "weights/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/error.h"
#include "weights/safetensors.h"

namespace mend {
namespace {

/// The format is in the first bytes; names lie.
Checkpoint read_any(const std::string& path) {
  const std::shared_ptr<const Bytes> file = Bytes::map(path);
  const std::span<const std::byte> bytes = file->span();
  if (looks_like_safetensors(bytes)) return read_safetensors(path, file);
  throw CheckpointError(
      fmt::format("{}: is none of safetensors, PyTorch (zip or legacy) and ncnn", path));
}

}  // namespace

Checkpoint read_checkpoint(const std::string& path) {
  Checkpoint checkpoint = read_any(path);
  if (checkpoint.tensors.empty()) throw CheckpointError(path + ": holds no tensors");
  strip_prefixes(checkpoint);
  check_finite(checkpoint);
  return checkpoint;
}

void check_finite(const Checkpoint& checkpoint) {
  for (const auto& [key, tensor] : checkpoint.tensors) {
    if (!is_floating(tensor.type)) continue;
    const std::vector<float> values = tensor.to_f32();
    const auto bad = std::find_if(values.begin(), values.end(),
                                  [](float value) { return !std::isfinite(value); });
    if (bad == values.end()) continue;
    throw CheckpointError(fmt::format("{}: {}: element {} of {} is {}; the file is damaged",
                                      checkpoint.path, key, bad - values.begin(),
                                      to_string(tensor.shape), *bad));
  }
}

void strip_prefixes(Checkpoint& checkpoint) {
  // What training wrappers put before every key: DataParallel, GAN trainers, Lightning modules.
  constexpr std::array<std::string_view, 3> kPrefixes = {"module.", "netG.", "generator."};
  const auto all_bear = [&](std::string_view prefix) {
    return std::all_of(checkpoint.tensors.begin(), checkpoint.tensors.end(),
                       [&](const auto& entry) { return entry.first.starts_with(prefix); });
  };
  for (std::size_t i = 0; i < kPrefixes.size() && !checkpoint.tensors.empty();) {
    if (!all_bear(kPrefixes[i])) {
      ++i;
      continue;
    }
    std::map<std::string, StoredTensor> stripped;
    for (auto& [key, tensor] : checkpoint.tensors) {
      stripped[key.substr(kPrefixes[i].size())] = std::move(tensor);
    }
    checkpoint.tensors = std::move(stripped);
    i = 0;  // "module.netG." loses both
  }
}

}  // namespace mend
