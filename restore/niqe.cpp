#include "restore/niqe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>

#include "engine/error.h"
#include "restore/pseudo_inverse.h"
#include "weights/safetensors.h"

namespace mend {
namespace {

constexpr const char* kMeanKey = "mu_pris_param";
constexpr const char* kCovarianceKey = "cov_pris_param";
constexpr int kSize = kNiqeFeatures;

std::vector<double> doubles_of(const Checkpoint& checkpoint, const char* key, int count) {
  const auto entry = checkpoint.tensors.find(key);
  if (entry == checkpoint.tensors.end() || entry->second.elements() != count) {
    throw CheckpointError(fmt::format(
        "{}: a model for NIQE has {} with {} elements, this one {}", checkpoint.path, key, count,
        entry == checkpoint.tensors.end() ? "has none" : to_string(entry->second.shape)));
  }
  const StoredTensor& stored = entry->second;
  if (stored.type != StoredType::kF64) {
    const std::vector<float> values = stored.to_f32();
    return {values.begin(), values.end()};
  }
  const std::vector<std::byte> bytes = stored.to_bytes();
  std::vector<double> values(static_cast<std::size_t>(count));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

StoredTensor stored_doubles(const char* key, std::vector<std::int64_t> shape,
                            std::span<const double> values) {
  std::vector<std::byte> bytes(values.size_bytes());
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_stored_tensor(key, StoredType::kF64, std::move(shape), Bytes::own(std::move(bytes)));
}

bool complete(const NiqeFeatures& features) {
  return std::ranges::none_of(features, [](double value) { return std::isnan(value); });
}

NiqeFeatures mean_of(const std::vector<NiqeFeatures>& blocks) {
  NiqeFeatures mean{};
  for (int i = 0; i < kSize; ++i) {
    double sum = 0, count = 0;
    for (const NiqeFeatures& block : blocks) {
      if (std::isnan(block[i])) continue;
      sum += block[i];
      ++count;
    }
    mean[i] = sum / count;
  }
  return mean;
}

/// Over the complete blocks alone, as MATLAB's nancov; divided by their number - 1.
std::vector<double> covariance_of(const std::vector<NiqeFeatures>& blocks) {
  std::vector<NiqeFeatures> used;
  std::ranges::copy_if(blocks, std::back_inserter(used), complete);
  const NiqeFeatures mean = mean_of(used);
  std::vector<double> covariance(kSize * kSize);
  for (int i = 0; i < kSize; ++i) {
    for (int j = 0; j < kSize; ++j) {
      double sum = 0;
      for (const NiqeFeatures& block : used) sum += (block[i] - mean[i]) * (block[j] - mean[j]);
      covariance[i * kSize + j] = sum / (static_cast<double>(used.size()) - 1);
    }
  }
  return covariance;
}

}  // namespace

bool has_niqe_model(const Checkpoint& checkpoint) { return checkpoint.tensors.contains(kMeanKey); }

NiqeModel niqe_model_of(const Checkpoint& checkpoint) {
  NiqeModel model;
  model.name = std::filesystem::path(checkpoint.path).filename().string();
  std::ranges::copy(doubles_of(checkpoint, kMeanKey, kSize), model.mean.begin());
  model.covariance = doubles_of(checkpoint, kCovarianceKey, kSize * kSize);
  return model;
}

void write_niqe_model(const std::string& path, const NiqeModel& model) {
  write_safetensors(
      path,
      {{kMeanKey, stored_doubles(kMeanKey, {1, kSize}, model.mean)},
       {kCovarianceKey, stored_doubles(kCovarianceKey, {kSize, kSize}, model.covariance)}},
      {{"niqe", model.name}});
}

std::vector<NiqeFeatures> pristine_blocks(const Image& picture) {
  constexpr double kSharpEnough = 0.75;
  const std::vector<NiqeBlock> blocks = niqe_blocks(picture, 0);
  double sharpest = 0;
  for (const NiqeBlock& block : blocks) sharpest = std::max(sharpest, block.sharpness);
  std::vector<NiqeFeatures> pristine;
  for (const NiqeBlock& block : blocks) {
    if (block.sharpness > kSharpEnough * sharpest && complete(block.features)) {
      pristine.push_back(block.features);
    }
  }
  return pristine;
}

NiqeModel fit_niqe_model(const std::vector<NiqeFeatures>& blocks, const std::string& name) {
  if (blocks.size() <= kNiqeFeatures) {
    throw InputError(
        fmt::format("a model for NIQE needs more than {} sharp blocks of {} x {} pixels, these "
                    "photographs have {}; give more or larger ones",
                    kNiqeFeatures, kNiqeBlock, kNiqeBlock, blocks.size()));
  }
  return {name, mean_of(blocks), covariance_of(blocks)};
}

Score niqe(const Image& picture, const NiqeModel& model, int border) {
  std::vector<NiqeFeatures> features;
  std::size_t usable = 0;
  for (const NiqeBlock& block : niqe_blocks(picture, border)) {
    features.push_back(block.features);
    usable += complete(block.features);
  }
  if (usable < 2) {
    throw ShapeError(
        fmt::format("NIQE: needs two blocks of {} x {} pixels with texture at least; a picture of "
                    "{} x {} with a border of {} has {}",
                    kNiqeBlock, kNiqeBlock, picture.width, picture.height, border, usable));
  }
  const NiqeFeatures mean = mean_of(features);
  std::vector<double> covariance = covariance_of(features);
  for (int i = 0; i < kSize * kSize; ++i) {
    covariance[i] = (model.covariance[i] + covariance[i]) / 2;
  }
  const std::vector<double> inverse = pseudo_inverse(std::move(covariance), kSize);
  double square = 0;
  for (int i = 0; i < kSize; ++i) {
    for (int j = 0; j < kSize; ++j) {
      square += (model.mean[i] - mean[i]) * inverse[i * kSize + j] * (model.mean[j] - mean[j]);
    }
  }
  return {std::sqrt(square),
          fmt::format("NIQE (blocks of 96, model {}), Y (BT.601 limited, rounded), border {}",
                      model.name, border)};
}

}  // namespace mend
