#include "models/official_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "engine/error.h"
#include "models/architecture.h"

namespace mend {
namespace {

/// "*" stands for any text without a dot in it; each in `to` is filled by the one at its place.
struct Rename {
  std::string from, to;
};

/// A way to name the parameters of a network: recognised if all of `has` are there.
struct Family {
  std::string format;  // of the file; empty: any
  std::vector<std::string> has;
  std::vector<Rename> renames;
  /// What the family's graph says and its keys do not: JSON for the metadata.
  std::string hyperparameters = {};
};

/// FSRCNN as OpenCV's dnn_superres has it: layers 1 to 8, PReLU behind the first seven.
Family opencv_fsrcnn() {
  Family family{"graphdef", {"f1", "alpha7", "f8"}, {}};
  const auto add = [&](int layer, const std::string& convolution, const std::string& prelu) {
    family.renames.push_back({fmt::format("f{}", layer), convolution + ".weight"});
    family.renames.push_back({fmt::format("b{}", layer), convolution + ".bias"});
    if (!prelu.empty())
      family.renames.push_back({fmt::format("alpha{}", layer), prelu + ".weight"});
  };
  add(1, "first_part.0", "first_part.1");
  for (int layer = 2; layer <= 7; ++layer) {
    const int index = 2 * (layer - 2);
    add(layer, fmt::format("mid_part.{}", index), fmt::format("mid_part.{}", index + 1));
  }
  add(8, "last_part", "");
  return family;
}

/// ESPCN as OpenCV's dnn_superres has it: ReLU inside, tanh at the end.
Family opencv_espcn() {
  return {"graphdef",
          {"f1", "f2", "f3", "b3"},
          {{"f1", "first_part.0.weight"},
           {"b1", "first_part.0.bias"},
           {"f2", "first_part.2.weight"},
           {"b2", "first_part.2.bias"},
           {"f3", "last_part.0.weight"},
           {"b3", "last_part.0.bias"}},
          R"({"activation": "relu", "output_activation": "tanh"})"};
}

const std::vector<Family>& families() {
  static const std::vector<Family> kFamilies = {
      opencv_fsrcnn(),
      opencv_espcn(),
      // RRDBNet as BSRGAN, RealSR and the later ESRGAN name it.
      {"",
       {"RRDB_trunk.0.RDB1.conv1.weight"},
       {{"RRDB_trunk.*.RDB*.*.*", "body.*.rdb*.*.*"},
        {"trunk_conv.*", "conv_body.*"},
        {"upconv*.*", "conv_up*.*"},
        {"HRconv.*", "conv_hr.*"}}},
      // SRVGGNetCompact as pnnx and onnx2ncnn number it; PReLU's slopes are weights.
      {"ncnn",
       {"Conv_0.weight", "PRelu_1.weight", "Conv_2.weight"},
       {{"Conv_*.*", "body.*.*"}, {"PRelu_*.*", "body.*.*"}}},
      // A chain of convolutions, activations counted: SRMD.
      {"ncnn", {"Conv_0.weight", "Conv_2.weight"}, {{"Conv_*.*", "model.*.*"}}},
      // UpCUNet as waifu2x-caffe numbers it, in the order that data flows.
      {"ncnn",
       {"Convolution26.weight", "Deconvolution4.weight"},
       {{"Convolution1.*", "unet1.conv1.conv.0.*"},
        {"Convolution2.*", "unet1.conv1.conv.2.*"},
        {"Convolution3.*", "unet1.conv1_down.*"},
        {"Convolution4.*", "unet1.conv2.conv.0.*"},
        {"Convolution5.*", "unet1.conv2.conv.2.*"},
        {"Convolution6.*", "unet1.conv2.seblock.conv1.*"},
        {"Convolution7.*", "unet1.conv2.seblock.conv2.*"},
        {"Deconvolution1.*", "unet1.conv2_up.*"},
        {"Convolution8.*", "unet1.conv3.*"},
        {"Deconvolution2.*", "unet1.conv_bottom.*"},
        {"Convolution9.*", "unet2.conv1.conv.0.*"},
        {"Convolution10.*", "unet2.conv1.conv.2.*"},
        {"Convolution11.*", "unet2.conv1_down.*"},
        {"Convolution12.*", "unet2.conv2.conv.0.*"},
        {"Convolution13.*", "unet2.conv2.conv.2.*"},
        {"Convolution14.*", "unet2.conv2.seblock.conv1.*"},
        {"Convolution15.*", "unet2.conv2.seblock.conv2.*"},
        {"Convolution16.*", "unet2.conv2_down.*"},
        {"Convolution17.*", "unet2.conv3.conv.0.*"},
        {"Convolution18.*", "unet2.conv3.conv.2.*"},
        {"Convolution19.*", "unet2.conv3.seblock.conv1.*"},
        {"Convolution20.*", "unet2.conv3.seblock.conv2.*"},
        {"Deconvolution3.*", "unet2.conv3_up.*"},
        {"Convolution21.*", "unet2.conv4.conv.0.*"},
        {"Convolution22.*", "unet2.conv4.conv.2.*"},
        {"Convolution23.*", "unet2.conv4.seblock.conv1.*"},
        {"Convolution24.*", "unet2.conv4.seblock.conv2.*"},
        {"Deconvolution4.*", "unet2.conv4_up.*"},
        {"Convolution25.*", "unet2.conv5.*"},
        {"Convolution26.*", "unet2.conv_bottom.*"}}},
  };
  return kFamilies;
}

/// The first ESRGAN numbers all modules. Its tail depends on the number of upsamplings: convolutions
/// at 3, 6, ..., then conv_hr and conv_last, which are the last two.
std::optional<Family> old_esrgan(const Checkpoint& checkpoint) {
  const std::vector<int> blocks = indices(checkpoint, "model.1.sub.", "RDB1.conv1.0.weight");
  const std::vector<int> modules = indices(checkpoint, "model.");  // 0, 3, 6, 8, 10 for x4
  if (blocks.empty() || modules.size() < 3) return std::nullopt;
  const auto module = [&](std::size_t i) { return fmt::format("model.{}.*", modules[i]); };
  Family family;
  family.renames = {{"model.1.sub.*.RDB*.*.0.*", "body.*.rdb*.*.*"},
                    {"model.1.sub.*.RDB*.conv1x1.*", "body.*.rdb*.conv1x1.*"},  // of ESRGAN+
                    {fmt::format("model.1.sub.{}.*", blocks.back() + 1), "conv_body.*"},
                    {module(0), "conv_first.*"}};
  const std::size_t hr = modules.size() - 2;
  for (std::size_t i = 1; i < hr; ++i) {
    family.renames.push_back({module(i), fmt::format("conv_up{}.*", i)});
  }
  family.renames.push_back({module(hr), "conv_hr.*"});
  family.renames.push_back({module(hr + 1), "conv_last.*"});
  return family;
}

std::optional<Family> family_of(const Checkpoint& checkpoint) {
  for (const Family& family : families()) {
    const bool all = std::all_of(family.has.begin(), family.has.end(),
                                 [&](const std::string& key) { return has(checkpoint, key); });
    if (all && (family.format.empty() || family.format == checkpoint.format)) return family;
  }
  return old_esrgan(checkpoint);
}

/// What the stars of `pattern` stand for in `key`, or nothing if it does not match.
std::optional<std::vector<std::string_view>> match(std::string_view pattern, std::string_view key) {
  std::vector<std::string_view> stars;
  std::size_t k = 0;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    if (pattern[p] != '*') {
      if (k == key.size() || key[k] != pattern[p]) return std::nullopt;
      ++k;
      continue;
    }
    const std::size_t end = std::min(key.find('.', k), key.size());
    stars.push_back(key.substr(k, end - k));
    k = end;
  }
  if (k != key.size()) return std::nullopt;
  return stars;
}

std::string renamed(const std::string& key, const Family& family) {
  for (const Rename& rename : family.renames) {
    const auto stars = match(rename.from, key);
    if (!stars) continue;
    std::string name;
    std::size_t next = 0;
    for (const char letter : rename.to) {
      if (letter == '*') {
        name += (*stars)[next++];
      } else {
        name += letter;
      }
    }
    return name;
  }
  return key;
}

/// ncnn has fully connected layers where the official networks have 1x1 convolutions.
void widen_to_convolution(StoredTensor& tensor) {
  if (tensor.shape.size() != 2) return;
  tensor.shape.insert(tensor.shape.end(), {1, 1});
  tensor.strides.insert(tensor.strides.end(), {1, 1});
}

/// LaMa's generator out of a training checkpoint, which has the discriminator and the perceptual
/// loss beside it, or out of the module that later copies wrap around it. Else as it is.
Checkpoint only_generator(Checkpoint checkpoint) {
  for (const std::string prefix : {"generator.", "model."}) {
    if (!has(checkpoint, prefix + "model.1.ffc.convl2l.weight")) continue;
    std::map<std::string, StoredTensor> generator;
    for (auto& [key, tensor] : checkpoint.tensors) {
      if (key.starts_with(prefix)) generator.emplace(key.substr(prefix.size()), std::move(tensor));
    }
    checkpoint.tensors = std::move(generator);
  }
  return checkpoint;
}

}  // namespace

Checkpoint to_official_keys(Checkpoint checkpoint) {
  checkpoint = only_generator(std::move(checkpoint));
  const std::optional<Family> family = family_of(checkpoint);
  if (!family) return checkpoint;
  std::map<std::string, StoredTensor> tensors;
  for (auto& [key, tensor] : checkpoint.tensors) {
    const std::string name = renamed(key, *family);
    if (checkpoint.format == "ncnn") widen_to_convolution(tensor);
    if (!tensors.emplace(name, std::move(tensor)).second) {
      throw CheckpointError(
          fmt::format("{}: two keys mean {}, one of them {}", checkpoint.path, name, key));
    }
  }
  checkpoint.tensors = std::move(tensors);
  if (!family->hyperparameters.empty()) {
    checkpoint.metadata.emplace("hyperparameters", family->hyperparameters);
  }
  return checkpoint;
}

}  // namespace mend
