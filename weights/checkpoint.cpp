#include "weights/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "engine/error.h"
#include "weights/elements.h"
#include "weights/graphdef.h"
#include "weights/ncnn.h"
#include "weights/safetensors.h"
#include "weights/tfjs.h"
#include "weights/torch_file.h"

namespace mend {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The other file of an ncnn pair: "net.bin" for "net.param" and the reverse.
std::string partner(const std::string& path, std::string_view extension) {
  return std::filesystem::path(path).replace_extension(extension).string();
}

/// A .bin has no mark of its own: it is ncnn's if a .param lies beside it.
bool has_ncnn_graph(const std::string& path) {
  const std::string graph = partner(path, ".param");
  return graph != path && std::filesystem::is_regular_file(graph) &&
         std::filesystem::file_size(graph) > 0 &&
         looks_like_ncnn_param(text_of(Bytes::map(graph)->span()));
}

/// The format is in the content; names lie.
Checkpoint read_any(const std::string& path) {
  const std::shared_ptr<const Bytes> file = Bytes::map(path);
  const std::span<const std::byte> bytes = file->span();
  if (looks_like_zip(bytes)) return read_torch_zip(path, file);
  // Before safetensors, whose ninth byte may stand in any JSON.
  if (looks_like_tfjs(text_of(bytes))) return read_tfjs(path, file);
  if (looks_like_safetensors(bytes)) return read_safetensors(path, file);
  if (looks_like_ncnn_param(text_of(bytes))) return read_ncnn(path, partner(path, ".bin"));
  if (has_ncnn_graph(path)) return read_ncnn(partner(path, ".param"), path);
  if (looks_like_torch_legacy(bytes)) return read_torch_legacy(path, file);
  if (looks_like_graphdef(bytes)) return read_graphdef(path, file);
  throw CheckpointError(
      fmt::format("{}: is none of safetensors, PyTorch (zip or legacy), ncnn (.param beside .bin), "
                  "TensorFlow's "
                  "frozen graphs (.pb) and TensorFlow.js layers-models (model.json)",
                  path));
}

/// Keys appear in messages and reports: one line each, no commands for the terminal.
void check_keys(const Checkpoint& checkpoint) {
  for (const auto& [key, tensor] : checkpoint.tensors) {
    const bool odd = key.empty() || std::any_of(key.begin(), key.end(), [](unsigned char letter) {
                       return std::iscntrl(letter) != 0;
                     });
    if (odd) throw CheckpointError(checkpoint.path + ": has a key that is no readable text");
  }
}

Checkpoint checked(Checkpoint checkpoint) {
  if (checkpoint.tensors.empty()) throw CheckpointError(checkpoint.path + ": holds no tensors");
  check_keys(checkpoint);
  strip_prefixes(checkpoint);
  check_finite(checkpoint);
  return checkpoint;
}

}  // namespace

Checkpoint read_checkpoint(const std::string& path) { return checked(read_any(path)); }

Checkpoint read_checkpoint(const std::string& name, std::shared_ptr<const Bytes> bytes) {
  return checked(read_safetensors(name, std::move(bytes)));
}

void check_finite(const Checkpoint& checkpoint) {
  for (const auto& [key, tensor] : checkpoint.tensors) {
    if (!is_floating(tensor.type)) continue;
    const F32Elements elements(tensor);
    const std::int64_t bad = first_not_finite(elements.values());
    if (bad < 0) continue;
    throw CheckpointError(fmt::format("{}: {}: element {} of {} is {}; the file is damaged",
                                      checkpoint.path, key, bad, to_string(tensor.shape),
                                      elements.values()[static_cast<std::size_t>(bad)]));
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
    checkpoint.stripped_prefix += kPrefixes[i];
    i = 0;  // "module.netG." loses both
  }
}

}  // namespace mend
