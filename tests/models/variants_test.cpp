// What official constructors can make and no released checkpoint has.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "engine/error.h"
#include "layers/functions.h"
#include "models/registry.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

Golden golden_of(const std::string& name) {
  return load_golden(data_path("goldens/" + name + ".safetensors"));
}

void erase_below(Checkpoint& checkpoint, const std::string& part) {
  std::erase_if(checkpoint.tensors,
                [&](const auto& entry) { return entry.first.find(part) != std::string::npos; });
}

/// Moves all keys that begin with `from`.
void move_keys(Checkpoint& checkpoint, const std::string& from, const std::string& to) {
  std::map<std::string, StoredTensor> tensors;
  for (auto& [key, tensor] : checkpoint.tensors) {
    const bool moves = key.starts_with(from);
    tensors.emplace(moves ? to + key.substr(from.size()) : key, std::move(tensor));
  }
  checkpoint.tensors = std::move(tensors);
}

StoredTensor constant(const std::vector<std::int64_t>& shape, float value) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return make_stored_tensor(shape, std::vector<float>(static_cast<std::size_t>(count), value));
}

/// Gives every convolution a bias of zeros, but for those whose key begins as one of `never`.
void add_zero_biases(Checkpoint& checkpoint, const std::vector<std::string>& never) {
  const std::map<std::string, StoredTensor> before = checkpoint.tensors;
  for (const auto& [key, tensor] : before) {
    if (!key.ends_with(".weight") || tensor.shape.size() != 4) continue;
    const bool has_none = std::any_of(never.begin(), never.end(), [&](const std::string& start) {
      return key.starts_with(start);
    });
    const std::string bias = key.substr(0, key.size() - 6) + "bias";
    if (!has_none && !before.contains(bias)) {
      checkpoint.tensors[bias] = constant({tensor.shape[0]}, 0);
    }
  }
  checkpoint.metadata.clear();
}

Tensor noise(const Shape& shape) {
  return Tensor::from(shape, procedural_fill("noise", 3, 0.5, 0.5, shape.elements()));
}

Tensor output_of(Checkpoint checkpoint, const Tensor& x, const Json& config = Json::object()) {
  return load_model(std::move(checkpoint), config).forward({x}).front();
}

}  // namespace

TEST_CASE("restormer, mprnet: with biases some convolutions still have none") {
  for (const auto& [name, never] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"restormer/withbias_odd_reflect", {"patch_embed", "down", "up"}},
           {"mprnet/tiny",
            {"stage3_orsnet.orb1.body.2", "stage3_orsnet.orb2.body.2", "stage3_orsnet.orb3.body.2",
             "stage1_encoder.down", "stage1_decoder.up", "stage2_encoder.down", "stage2_decoder.up",
             "stage3_orsnet.up_"}}}) {
    CAPTURE(name);
    Golden golden = golden_of(name);
    add_zero_biases(golden.weights, never);
    const Model model = load_model(golden.weights);
    CHECK(model.hyperparameters.at("bias") == true);
    CHECK(max_error(model.forward({golden.at("input")}).front(), golden.at("output")) <=
          golden.tolerance.at("float32_max_abs").get<double>());
  }
}

TEST_CASE("hat: an enlargement by 1 has no shuffles, a connection may be the identity") {
  Checkpoint checkpoint = golden_of("hat/x4").weights;
  checkpoint.metadata.clear();
  std::erase_if(checkpoint.tensors,
                [](const auto& entry) { return entry.first.starts_with("upsample."); });
  const Model convolved = load_model(checkpoint);
  CHECK(convolved.hyperparameters.at("upscale") == 1);
  CHECK(convolved.forward({noise({1, 9, 6, 3})}).front().shape() == Shape{1, 9, 6, 3});
  erase_below(checkpoint, "conv_after_body.");
  for (const char* layer : {"layers.0.conv.", "layers.1.conv."}) erase_below(checkpoint, layer);
  CHECK(load_model(checkpoint).hyperparameters.at("resi_connection") == "identity");
}

TEST_CASE("swinir: a position embedding is added to pictures of its size") {
  Checkpoint checkpoint = golden_of("swinir/light_x2").weights;
  const Tensor x = noise({1, 16, 16, 3});
  const Tensor without = output_of(checkpoint, x);
  checkpoint.metadata.clear();
  const int dim = static_cast<int>(checkpoint.tensors.at("norm.weight").shape[0]);
  checkpoint.tensors["absolute_pos_embed"] = constant({1, 256, dim}, 0);
  CHECK(relative_error(output_of(checkpoint, x), without) <= 1e-6);
  checkpoint.tensors["absolute_pos_embed"] =
      make_stored_tensor({1, 256, dim}, procedural_fill("ape", 1, 0, 1, 256 * dim));
  CHECK(relative_error(output_of(checkpoint, x), without).value > 1e-3);
  CHECK_THROWS(output_of(checkpoint, noise({1, 16, 20, 3})));
}

TEST_CASE("rrdbnet: conv1x1 tells ESRGAN+, under the old keys too") {
  Golden golden = golden_of("rrdbnet/x4_old_keys");
  Checkpoint& checkpoint = golden.weights;
  for (const auto& [key, tensor] : std::map<std::string, StoredTensor>(checkpoint.tensors)) {
    const std::size_t end = key.find(".conv1.0.weight");
    if (end == std::string::npos) continue;
    checkpoint.tensors[key.substr(0, end) + ".conv1x1.weight"] =
        constant({tensor.shape[0], tensor.shape[1], 1, 1}, 0);
  }
  const Model model = load_model(checkpoint);
  CHECK(model.hyperparameters.at("plus") == true);
  // Zeros in conv1x1 leave the skip from the second features to the fourth.
  CHECK(relative_error(model.forward({golden.at("input")}).front(), golden.at("output")).value >
        1e-4);
}

TEST_CASE("dncnn: hyper-parameters tell seven layers from IRCNN, and leaky rectifiers") {
  const Golden golden = golden_of("dncnn/ircnn_gray");
  Checkpoint checkpoint = golden.weights;
  checkpoint.metadata.clear();
  const Tensor& x = golden.at("input");
  const Tensor dilated = output_of(checkpoint, x);
  CHECK(max_error(dilated, golden.at("output")) <=
        golden.tolerance.at("float32_max_abs").get<double>());
  checkpoint.metadata["hyperparameters"] = R"({"cls": "DnCNN", "nb": 7, "act_mode": "R"})";
  const Tensor plain = output_of(checkpoint, x);
  CHECK(relative_error(plain, dilated).value > 1e-3);
  CHECK(relative_error(output_of(checkpoint, x, {{"act_mode", "L"}}), plain).value > 1e-3);
  CHECK_THROWS(output_of(checkpoint, x, {{"act_mode", "BR"}}));  // there is no batch norm
}

TEST_CASE("dat: channel blocks tell an odd number of heads") {
  Checkpoint checkpoint = golden_of("dat/x2_direct").weights;
  CHECK(identify(checkpoint).recognised.fixed.at("num_heads") == Json{4});
  checkpoint.tensors.at("layers.0.blocks.1.attn.temperature") = constant({5, 1, 1}, 1);
  CHECK(identify(checkpoint).recognised.fixed.at("num_heads") == Json{5});
}

TEST_CASE("plksr: with a layer norm the groups of the group norm do not matter") {
  Checkpoint checkpoint = golden_of("plksr/realplksr_x2").weights;
  const std::int64_t dim = checkpoint.tensors.at("feats.0.weight").shape[0];
  for (const std::string block : {"feats.1.", "feats.2."}) {
    if (!checkpoint.tensors.contains(block + "refine.weight")) continue;
    checkpoint.tensors.erase(block + "norm.weight");
    checkpoint.tensors.erase(block + "norm.bias");
    checkpoint.tensors[block + "layer_norm.weight"] = constant({dim}, 1);
    checkpoint.tensors[block + "layer_norm.bias"] = constant({dim}, 0);
  }
  checkpoint.metadata["hyperparameters"] = R"({"norm_groups": 4, "layer_norm": true})";
  CHECK(load_model(checkpoint).hyperparameters.at("layer_norm") == true);
}

TEST_CASE("plksr: DySample that looks nowhere else enlarges bilinearly") {
  Checkpoint checkpoint = golden_of("plksr/realplksr_x2").weights;
  checkpoint.metadata.clear();
  const Tensor x = noise({1, 7, 9, 3});
  const Tensor plain = output_of(checkpoint, x);
  // 12 channels before the shuffle, of which the last layer takes each colour's mean.
  std::vector<float> places, means(36, 0.0f);
  for (int c = 0; c < 16; ++c) places.push_back(c % 2 == 0 ? -0.25f : 0.25f);      // x
  for (int c = 0; c < 16; ++c) places.push_back(c / 2 % 2 == 0 ? -0.25f : 0.25f);  // y
  for (std::size_t c = 0; c < 12; ++c) means[c / 4 * 12 + c] = 0.25f;
  checkpoint.tensors["to_img.init_pos"] = make_stored_tensor({1, 32, 1, 1}, places);
  checkpoint.tensors["to_img.offset.weight"] = constant({32, 12, 1, 1}, 0);
  checkpoint.tensors["to_img.offset.bias"] = constant({32}, 0);
  checkpoint.tensors["to_img.scope.weight"] = constant({32, 12, 1, 1}, 1);
  checkpoint.tensors["to_img.end_conv.weight"] = make_stored_tensor({3, 12, 1, 1}, means);
  checkpoint.tensors["to_img.end_conv.bias"] = constant({3}, 0);
  const Tensor expected = resize_bilinear(average_pool(plain, 2, 2), 14, 18);
  CHECK(relative_error(output_of(checkpoint, x), expected) <= 1e-5);
  checkpoint.tensors["to_img.offset.bias"] = constant({32}, 1);  // half a pixel away
  CHECK(relative_error(output_of(checkpoint, x), expected).value > 1e-3);
}

TEST_CASE("drunet: a body of one block is not numbered") {
  Checkpoint checkpoint = golden_of("drunet/color_odd_replicate").weights;  // two blocks
  checkpoint.metadata.clear();
  for (const std::string level : {"1.", "2.", "3."}) {
    erase_below(checkpoint, "m_down" + level + "1.");
    move_keys(checkpoint, "m_down" + level + "2.", "m_down" + level + "1.");
    erase_below(checkpoint, "m_up" + level + "2.");
  }
  erase_below(checkpoint, "m_body.1.");
  move_keys(checkpoint, "m_body.0.", "m_body.");
  const Model model = load_model(checkpoint);
  CHECK(model.name == "drunet");
  CHECK(model.hyperparameters.at("nb") == 1);
}

TEST_CASE("uformer: the feed-forward's kind, unshifted windows, and gray without a residual") {
  const std::string path = shared_path("goldens/uformer/tiny_modulator.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const Tensor& x = golden.at("input");
  CHECK(relative_error(output_of(golden.weights, x, {{"shift_flag", false}}), golden.at("output"))
            .value > 1e-3);
  Checkpoint checkpoint = golden.weights;
  checkpoint.metadata.clear();
  for (const auto& [key, tensor] : golden.weights.tensors) {
    if (key.find(".mlp.dwconv.0.weight") == std::string::npos) continue;
    const std::int64_t hidden = tensor.shape[0];
    checkpoint.tensors[key] = constant({hidden, hidden, 3, 3}, 0.01f);
  }
  const Json config = {{"img_size", 32}};
  CHECK(load_model(checkpoint, config).hyperparameters.at("token_mlp") == "fastleff");
  for (const auto& [key, tensor] : golden.weights.tensors) {
    const std::size_t end = key.find("mlp.linear");
    if (end == std::string::npos) continue;  // mlp.linear1.0.weight -> mlp.fc1.weight
    checkpoint.tensors[key.substr(0, end) + "mlp.fc" + key[end + 10] + key.substr(end + 13)] =
        tensor;
  }
  erase_below(checkpoint, "mlp.linear");
  erase_below(checkpoint, "mlp.dwconv");
  CHECK(load_model(checkpoint, config).hyperparameters.at("token_mlp") == "mlp");
}

namespace {

struct Tap {
  std::int64_t k, c;
  float value;
};

/// A convolution whose kernel is zero but for these taps in its centre, and whose bias is the same
/// everywhere.
void add_convolution(Checkpoint& checkpoint, const std::string& name,
                     const std::vector<std::int64_t>& shape, const std::vector<Tap>& taps,
                     float bias) {
  std::vector<float> values(static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]));
  for (const Tap& tap : taps) {
    const std::int64_t r = shape[2] / 2, s = shape[3] / 2;
    const std::int64_t at = ((tap.k * shape[1] + tap.c) * shape[2] + r) * shape[3] + s;
    values[static_cast<std::size_t>(at)] = tap.value;
  }
  checkpoint.tensors[name + ".weight"] = make_stored_tensor(shape, values);
  checkpoint.tensors[name + ".bias"] = constant({shape[0]}, bias);
}

/// RDN with two layers in each of two blocks, one channel wide, that doubles the size.
Checkpoint tiny_rdn() {
  Checkpoint rdn;
  add_convolution(rdn, "F_m1", {1, 3, 3, 3}, {}, 7);
  add_convolution(rdn, "F_0", {1, 1, 3, 3}, {{0, 0, 1}}, 0);                             // 7
  add_convolution(rdn, "F_1_1", {1, 1, 3, 3}, {}, 2);                                    // 2
  add_convolution(rdn, "F_1_2", {1, 2, 3, 3}, {{0, 1, 4}}, -3);                          // 4·2 - 3
  add_convolution(rdn, "LFF_1", {1, 3, 1, 1}, {{0, 0, 1}, {0, 1, 10}, {0, 2, 100}}, 0);  // 527
  add_convolution(rdn, "F_2_1", {1, 1, 3, 3}, {}, -1);                                   // 0
  add_convolution(rdn, "F_2_2", {1, 2, 3, 3}, {}, 1);                                    // 1
  add_convolution(rdn, "LFF_2", {1, 3, 1, 1}, {{0, 1, 10}, {0, 2, 100}}, 0);             // 100
  // The blocks add what they were given: 527 + 7 = 534, 100 + 534 = 634.
  add_convolution(rdn, "GFF_1", {1, 2, 1, 1}, {{0, 0, 1}, {0, 1, 2}}, 0);  // 534 + 2·634 = 1802
  add_convolution(rdn, "GFF_2", {1, 1, 3, 3}, {{0, 0, 1}}, 0);             // and F_m1's 7: 1809
  add_convolution(rdn, "UPN1", {64, 1, 5, 5}, {{9, 0, 1}}, 0);
  add_convolution(rdn, "UPN2", {32, 64, 3, 3}, {{5, 9, 1}}, 0);
  add_convolution(rdn, "UPN3", {12, 32, 3, 3}, {{11, 5, 1}}, 0);
  add_convolution(rdn, "SR", {3, 12, 3, 3}, {{0, 11, 1}, {1, 11, 2}, {2, 11, 3}}, 0);
  return rdn;
}

}  // namespace

TEST_CASE("rdn: layers see all before them, and keys and shapes tell its size") {
  const Model model = load_model(tiny_rdn());
  CHECK(model.description == "RDN(C 2, D 2, G 1, G0 1, x 2, c_dim 3)");
  const Tensor y = model.forward({noise({1, 4, 5, 3})}).front();
  const Tensor expected =
      spread(Tensor::from(Shape{1, 1, 1, 3}, std::vector<float>{1809, 3618, 5427}), 8, 10);
  CHECK(relative_error(y, expected) <= 1e-5);
}

TEST_CASE("rdn: one that shuffles pixels is not taken for one that repeats them") {
  Checkpoint shuffles = tiny_rdn();
  add_convolution(shuffles, "SR", {3, 3, 3, 3}, {}, 0);
  CHECK_THROWS_WITH_AS(load_model(shuffles), doctest::Contains("no known network"),
                       CheckpointError);
}

}  // namespace mend::test
