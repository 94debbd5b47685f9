#include "weights/tfjs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/error.h"

namespace mend {
namespace {

using Json = nlohmann::json;

// Real ones have 10 KB to 1 MB; parsed JSON takes up to thirty times the bytes of its text.
constexpr std::size_t kMostJsonBytes = 4 << 20;
// A layer's arguments lie 9 deep; a model as a layer of a model adds 4.
constexpr int kDeepestJson = 64;

/// Names appear in messages and become keys and paths.
bool is_readable(const std::string& text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](unsigned char letter) {
    return std::iscntrl(letter) != 0;
  });
}

/// The name of a file in the same folder, whatever the system's separator.
bool is_plain_file_name(const std::string& path) {
  return is_readable(path) && path != "." && path != ".." &&
         path.find_first_of("/\\") == std::string::npos;
}

class ManifestReader {
 public:
  explicit ManifestReader(const std::string& source) : source_(source) {}

  std::vector<TfjsGroup> read(std::string_view text) const {
    if (text.size() > kMostJsonBytes) {
      fail(fmt::format("has {} bytes, a model.json at most {}", text.size(), kMostJsonBytes));
    }
    const Json model = parse(text);
    if (model.contains("format") && model["format"] != "layers-model") {
      fail("is a TensorFlow.js model, but no layers-model");
    }
    std::vector<TfjsGroup> groups;
    for (const Json& entry : list(model, "weightsManifest")) groups.push_back(read_group(entry));
    check_shards(groups);
    return groups;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw CheckpointError(source_ + ": " + what);
  }

  Json parse(std::string_view text) const {
    const auto not_too_deep = [&](int depth, Json::parse_event_t, const Json&) {
      if (depth > kDeepestJson) fail("the JSON is nested too deeply");
      return true;
    };
    try {
      return Json::parse(text, not_too_deep);
    } catch (const Json::exception& error) {
      fail(fmt::format("is not JSON: {}", error.what()));
    }
  }

  const Json& list(const Json& object, const char* name) const {
    if (!object.is_object() || !object.contains(name) || !object[name].is_array()) {
      fail(fmt::format("{} is no list", name));
    }
    return object[name];
  }

  std::string text(const Json& object, const char* name) const {
    if (!object.is_object() || !object.contains(name) || !object[name].is_string()) {
      fail(fmt::format("a weight's {} is no text", name));
    }
    return object[name].get<std::string>();
  }

  TfjsGroup read_group(const Json& entry) const {
    TfjsGroup group;
    for (const Json& path : list(entry, "paths")) {
      if (!path.is_string() || !is_plain_file_name(path.get_ref<const std::string&>())) {
        fail(fmt::format("the shard {} is not the name of a file beside it", path.dump()));
      }
      group.paths.push_back(path.get<std::string>());
    }
    if (group.paths.empty()) fail("a group of weights has no shards");
    for (const Json& weight : list(entry, "weights")) group.weights.push_back(read_weight(weight));
    return group;
  }

  TfjsWeight read_weight(const Json& entry) const {
    TfjsWeight weight;
    weight.name = text(entry, "name");
    if (!is_readable(weight.name)) fail("a weight's name is no readable text");
    weight.type = type_of(entry, weight.name);
    weight.bytes = size_of(weight.type);
    for (const Json& extent : list(entry, "shape")) {
      const bool counts = extent.is_number_unsigned() && extent.get<std::uint64_t>() > 0 &&
                          extent.get<std::uint64_t>() <= INT32_MAX;
      if (!counts ||
          __builtin_mul_overflow(weight.bytes, extent.get<std::int64_t>(), &weight.bytes)) {
        fail(fmt::format("{}: the shape {} is impossible", weight.name, entry["shape"].dump()));
      }
      weight.shape.push_back(extent.get<std::int64_t>());
    }
    return weight;
  }

  StoredType type_of(const Json& entry, const std::string& name) const {
    const std::string dtype = text(entry, "dtype");
    if (dtype != "float32") {
      fail(fmt::format("{}: the type {} is not supported", name, Json(dtype).dump()));
    }
    if (!entry.contains("quantization")) return StoredType::kF32;
    if (text(entry["quantization"], "dtype") == "float16") return StoredType::kF16;
    fail(fmt::format("{}: is quantized; use the float32 or float16 model", name));
  }

  /// A shard that counted more than once would make a large network of small files.
  void check_shards(const std::vector<TfjsGroup>& groups) const {
    std::set<std::string> seen;
    for (const TfjsGroup& group : groups) {
      for (const std::string& path : group.paths) {
        if (!seen.insert(path).second) fail(fmt::format("lists the shard {} twice", path));
      }
    }
  }

  const std::string& source_;
};

/// "F_m1/kernel" -> "F_m1.weight"
std::string key_of(std::string name) {
  constexpr std::string_view kKernel = "/kernel";
  if (name.ends_with(kKernel))
    name.replace(name.size() - kKernel.size(), kKernel.size(), "/weight");
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

/// The bytes of all shards; in place if there is one.
std::shared_ptr<const Bytes> join_shards(const std::vector<std::string>& paths) {
  if (paths.size() == 1) return Bytes::map(paths.front());
  std::vector<std::byte> all;
  for (const std::string& path : paths) {
    const std::shared_ptr<const Bytes> shard = Bytes::map(path);
    all.insert(all.end(), shard->span().begin(), shard->span().end());
  }
  return Bytes::own(std::move(all));
}

}  // namespace

bool looks_like_tfjs(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t brace = text.find_first_not_of(kSpace);
  if (brace == std::string_view::npos || text[brace] != '{') return false;
  const std::size_t quote = text.find_first_not_of(kSpace, brace + 1);
  return quote != std::string_view::npos && text[quote] == '"' &&
         text.find("\"weightsManifest\"") != std::string_view::npos;
}

std::vector<TfjsGroup> parse_tfjs_manifest(std::string_view text, const std::string& source) {
  return ManifestReader(source).read(text);
}

std::map<std::string, StoredTensor> read_tfjs_weights(const TfjsGroup& group,
                                                      const std::shared_ptr<const Bytes>& data,
                                                      const std::string& source) {
  std::map<std::string, StoredTensor> tensors;
  ByteReader reader(data->span(), source);
  for (const TfjsWeight& weight : group.weights) {
    const std::string name = fmt::format("{}: {}", source, weight.name);
    const std::size_t begin = reader.position();
    const auto bytes = static_cast<std::size_t>(weight.bytes);
    reader.take(bytes, weight.name);
    StoredTensor stored =
        make_stored_tensor(name, weight.type, weight.shape, Bytes::slice(data, begin, bytes));
    const std::string key = key_of(weight.name);
    if (weight.name.ends_with("/kernel")) {
      if (stored.shape.size() == 4) stored = permuted(name, stored, {3, 2, 0, 1});
      if (stored.shape.size() == 2) stored = permuted(name, stored, {1, 0});
    }
    if (!tensors.emplace(key, std::move(stored)).second) {
      throw CheckpointError(fmt::format("{}: two weights are called {}", source, key));
    }
  }
  if (reader.remaining() != 0) {
    reader.fail(fmt::format("{} bytes belong to no weight", reader.remaining()));
  }
  return tensors;
}

Checkpoint read_tfjs(const std::string& path, const std::shared_ptr<const Bytes>& file) {
  const std::string_view text(reinterpret_cast<const char*>(file->data()), file->size());
  Checkpoint checkpoint{path, "tfjs", {}, {}, {}};
  for (const TfjsGroup& group : parse_tfjs_manifest(text, path)) {
    std::vector<std::string> shards;
    for (const std::string& name : group.paths) {
      shards.push_back(std::filesystem::path(path).replace_filename(name).string());
    }
    std::string source = shards.front();
    if (shards.size() > 1) source += fmt::format(" and {} more", shards.size() - 1);
    for (auto& [key, tensor] : read_tfjs_weights(group, join_shards(shards), source)) {
      if (!checkpoint.tensors.emplace(key, std::move(tensor)).second) {
        throw CheckpointError(fmt::format("{}: two weights are called {}", path, key));
      }
    }
  }
  return checkpoint;
}

}  // namespace mend
