#include "tests/support/golden.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "tests/support/paths.h"
#include "weights/safetensors.h"

namespace mend::test {
namespace {

using Json = nlohmann::json;

Json json_of(const std::map<std::string, std::string>& metadata, const std::string& key) {
  const auto entry = metadata.find(key);
  return entry == metadata.end() ? Json() : Json::parse(entry->second);
}

std::vector<std::string> names(const Json& list, const std::string& otherwise) {
  if (!list.is_array() || list.empty()) return {otherwise};
  return list.get<std::vector<std::string>>();
}

/// What fixtures leave out because it is the same in every checkpoint; else nothing.
std::vector<float> well_known(const std::string& key, std::int64_t count) {
  if (key == "mean" && count == 3)
    return {0.485f, 0.456f, 0.406f};  // of ImageNet, as DDColor has it
  if (key == "std" && count == 3) return {0.229f, 0.224f, 0.225f};
  if (!key.ends_with("sample.filter.weight")) return {};
  // MI-GAN's blur, the outer product of [1,3,3,1]; enlarging gives it four times the weight.
  const float blur[] = {1, 3, 3, 1};
  const float sum = key.ends_with("upsample.filter.weight") ? 16 : 64;
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(blur[i / 4 % 4] * blur[i % 4] / sum);
  return values;
}

int extent(const StoredTensor& stored, std::size_t d) { return static_cast<int>(stored.shape[d]); }

Tensor nhwc_from_nchw(const StoredTensor& stored) {
  const Shape shape{extent(stored, 0), extent(stored, 2), extent(stored, 3), extent(stored, 1)};
  const std::vector<float> nchw = stored.to_f32();
  const Tensor tensor = Tensor::empty(shape);
  const View<float> to = tensor.view<float>();
  const float* from = nchw.data();
  for (int n = 0; n < shape.n; ++n)
    for (int c = 0; c < shape.c; ++c)
      for (int h = 0; h < shape.h; ++h)
        for (int w = 0; w < shape.w; ++w) to(n, h, w, c) = *from++;
  return tensor;
}

}  // namespace

const Tensor& Golden::at(const std::string& name) const {
  const auto entry = tensors.find(name);
  if (entry != tensors.end()) return entry->second;
  std::string there;
  for (const auto& [key, tensor] : tensors) there += " " + key;
  throw InputError(fmt::format("{}: has no tensor {}, only{}", stored.path, name, there));
}

std::vector<std::string> Golden::inputs() const {
  return names(json_of(metadata, "inputs"), "input");
}

std::vector<std::string> Golden::outputs() const {
  return names(json_of(metadata, "outputs"), "output");
}

Tensor to_tensor(const StoredTensor& stored) {
  const int count = static_cast<int>(stored.elements());
  switch (stored.shape.size()) {
    case 4:
      return nhwc_from_nchw(stored);
    case 3:
      return Tensor::from({1, extent(stored, 0), extent(stored, 1), extent(stored, 2)},
                          stored.to_f32());
    case 2:
      return Tensor::from({1, 1, extent(stored, 0), extent(stored, 1)}, stored.to_f32());
    default:
      return Tensor::from(vector_shape(count), stored.to_f32());
  }
}

Golden load_golden(const std::string& path) {
  const std::string kWeights = "weights/";
  Golden golden;
  golden.stored = read_safetensors(path, Bytes::map(path));
  golden.metadata = golden.stored.metadata;
  golden.hyperparameters = json_of(golden.metadata, "hyperparameters");
  golden.tolerance = json_of(golden.metadata, "tolerance");
  golden.weights.path = path;
  golden.weights.format = golden.stored.format;
  golden.weights.metadata = golden.metadata;
  for (const auto& [key, stored] : golden.stored.tensors) {
    if (key.starts_with(kWeights)) {
      golden.weights.tensors[key.substr(kWeights.size())] = stored;
    } else if (stored.elements() > 0) {
      golden.tensors[key] = to_tensor(stored).named(key);
    }
  }
  const Json procedural = json_of(golden.metadata, "procedural_inputs");
  for (const auto& [name, rule] : procedural.items()) {
    const auto shape = rule.at("shape").get<std::vector<std::int64_t>>();
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    golden.tensors[name] = to_tensor(make_stored_tensor(
        shape, procedural_fill(rule.at("key").get<std::string>(),
                               rule.at("fill_seed").get<std::uint64_t>(), rule.at("fill").at(0),
                               rule.at("fill").at(1), count)));
  }
  return golden;
}

std::vector<float> procedural_fill(const std::string& key, std::uint64_t fill_seed, double offset,
                                   double scale, std::int64_t count) {
  constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio, SplitMix64's step
  std::uint64_t hash = 0xCBF29CE484222325;               // FNV-1a, 64 bits
  for (const char letter : key) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001B3;
  }
  std::uint64_t state = hash ^ (fill_seed * kGolden);
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    state += kGolden;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z = z ^ (z >> 31);
    const double u = static_cast<double>(z >> 11) * 0x1p-53;
    // The rule has no fused multiply-add; `volatile` keeps the compiler from making one.
    const volatile double product = scale * (2 * u - 1);
    values.push_back(static_cast<float>(offset + product));
  }
  return values;
}

Checkpoint fill_checkpoint(const std::string& keys_json_path) {
  const Json manifest = Json::parse(read_file(keys_json_path));
  const Json& seed = manifest.at("fill_seed");
  const std::uint64_t fill_seed = seed.is_null() ? 0 : seed.get<std::uint64_t>();
  Checkpoint checkpoint;
  checkpoint.path = keys_json_path;
  checkpoint.format = "procedural";
  checkpoint.metadata["network"] = manifest.at("network").get<std::string>();
  checkpoint.metadata["hyperparameters"] = manifest.at("hyperparameters").dump();
  for (const auto& [key, entry] : manifest.at("keys").items()) {
    const auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    std::vector<float> values = well_known(key, count);
    if (entry.contains("fill")) {
      values = procedural_fill(key, fill_seed, entry.at("fill").at(0).get<double>(),
                               entry.at("fill").at(1).get<double>(), count);
    }
    if (!values.empty()) checkpoint.tensors[key] = make_stored_tensor(shape, std::move(values));
  }
  return checkpoint;
}

}  // namespace mend::test
