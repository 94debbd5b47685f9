// The networks that a training looks through, VGG19 and discriminators, and the losses behind them.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "engine/error.h"
#include "models/registry.h"
#include "models/vgg19.h"
#include "tests/support/guarded.h"
#include "tests/support/thrown.h"
#include "tests/train/double_network.h"
#include "train/adversary.h"
#include "train/initialize.h"
#include "train/perceptual.h"
#include "weights/safetensors.h"

namespace mend::test {
namespace {

namespace fs = std::filesystem;

/// VGG19's first convolutions, stored as torchvision does: weight and bias by index.
Checkpoint small_numbers_vgg19(int convolutions) {
  constexpr int kIndex[] = {0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34};
  constexpr int kOut[] = {64,  64,  128, 128, 256, 256, 256, 256,
                          512, 512, 512, 512, 512, 512, 512, 512};
  Checkpoint checkpoint;
  checkpoint.path = "vgg19.pth";
  int in = 3;
  for (int i = 0; i < convolutions; ++i) {
    const Tensor weight = random_tensor({kOut[i], in, 3, 3}, 100 + static_cast<std::uint64_t>(i));
    const Tensor bias = random_tensor(vector_shape(kOut[i]), 200 + static_cast<std::uint64_t>(i));
    std::vector<float> numbers(weight.view<const float>().data,
                               weight.view<const float>().data + weight.shape().elements());
    const float scale = std::sqrt(6.0f / static_cast<float>(9 * in));
    for (float& number : numbers) number *= scale;
    const std::string name = "features." + std::to_string(kIndex[i]);
    checkpoint.tensors[name + ".weight"] = make_stored_tensor({kOut[i], in, 3, 3}, numbers);
    std::vector<float> offsets(bias.view<const float>().data,
                               bias.view<const float>().data + kOut[i]);
    for (float& offset : offsets) offset *= 0.1f;
    checkpoint.tensors[name + ".bias"] = make_stored_tensor({kOut[i]}, offsets);
    in = kOut[i];
  }
  return checkpoint;
}

/// O,I,R,S as stored -> {K,R,S,C}
Doubles kernel_of(const StoredTensor& stored) {
  const std::vector<float> numbers = stored.to_f32();
  const auto extent = [&](int d) {
    return static_cast<int>(stored.shape[static_cast<std::size_t>(d)]);
  };
  Doubles kernel({extent(0), extent(2), extent(3), extent(1)});
  std::size_t next = 0;
  for (int k = 0; k < extent(0); ++k)
    for (int c = 0; c < extent(1); ++c)
      for (int r = 0; r < extent(2); ++r)
        for (int s = 0; s < extent(3); ++s) kernel(k, r, s, c) = numbers[next++];
  return kernel;
}

/// What VGG19 gives, by layer, from its stored numbers.
std::map<std::string, Doubles> vgg19_features(const Checkpoint& checkpoint, Doubles x) {
  constexpr double kMean[] = {0.485, 0.456, 0.406}, kDeviation[] = {0.229, 0.224, 0.225};
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    x.values[i] = (x.values[i] - kMean[i % 3]) / kDeviation[i % 3];
  }
  std::map<std::string, Doubles> features;
  const int counts[] = {2, 2, 4, 4, 4};
  int index = 0;
  for (int block = 0; block < 5; ++block, ++index) {
    if (block > 0) x = max_of_two_by_two(x);
    for (int i = 0; i < counts[block]; ++i, index += 2) {
      const std::string name = "features." + std::to_string(index);
      const auto weight = checkpoint.tensors.find(name + ".weight");
      if (weight == checkpoint.tensors.end()) return features;
      const std::vector<float> offsets = checkpoint.tensors.at(name + ".bias").to_f32();
      const Doubles bias(Tensor::from(vector_shape(static_cast<int>(offsets.size())), offsets));
      x = conv(x, kernel_of(weight->second), &bias, 1, 1);
      const std::string at = std::to_string(block + 1) + "_" + std::to_string(i + 1);
      features.emplace("conv" + at, x);
      x = rectified(x, 0);
      features.emplace("relu" + at, x);
    }
  }
  return features;
}

Tensor rounded(const Doubles& x) {
  return Tensor::from(x.shape, std::vector<float>(x.values.begin(), x.values.end()));
}

/// A discriminator's tensors by key.
using Numbers = std::map<std::string, Doubles>;
Numbers numbers_of(const Discriminator& discriminator) {
  Numbers numbers;
  for (const Parameter& parameter : discriminator.tensors()) {
    numbers.emplace(parameter.key, Doubles(parameter.tensor));
  }
  return numbers;
}

Doubles biased(const Numbers& p, const std::string& name, const Doubles& x, int stride) {
  const auto bias = p.find(name + ".bias");
  return conv(x, p.at(name + ".weight"), bias == p.end() ? nullptr : &bias->second, stride, 1);
}

/// weight_orig / (uᵀ·W·v)
Doubles spectral(const Numbers& p, const std::string& name, const Doubles& x, int stride) {
  Doubles weight = p.at(name + ".weight_orig");
  const Doubles &u = p.at(name + ".weight_u"), &v = p.at(name + ".weight_v");
  double sigma = 0;
  for (std::size_t i = 0; i < weight.values.size(); ++i) {
    sigma += u.values[i / v.values.size()] * weight.values[i] * v.values[i % v.values.size()];
  }
  for (double& number : weight.values) number /= sigma;
  return conv(x, weight, nullptr, stride, 1);
}

Doubles unet_logits(const Numbers& p, const Doubles& x, bool skips) {
  const auto down = [&](const char* name, const Doubles& of) {
    return rectified(spectral(p, name, of, 2), 0.2);
  };
  const auto same = [&](const char* name, const Doubles& of) {
    return rectified(spectral(p, name, of, 1), 0.2);
  };
  const auto joined = [&](const Doubles& a, const Doubles& b) { return skips ? added(a, b) : a; };
  const Doubles x0 = rectified(biased(p, "conv0", x, 1), 0.2);
  const Doubles x1 = down("conv1", x0), x2 = down("conv2", x1), x3 = down("conv3", x2);
  const Doubles x4 = joined(same("conv4", twice(x3)), x2);
  const Doubles x5 = joined(same("conv5", twice(x4)), x1);
  const Doubles x6 = joined(same("conv6", twice(x5)), x0);
  return biased(p, "conv9", same("conv8", same("conv7", x6)), 1);
}

Doubles patch_logits(const Numbers& p, const Doubles& x, int n_layers, const std::string& norm) {
  Doubles y = rectified(biased(p, "model.0", x, 2), 0.2);
  for (int n = 1; n <= n_layers; ++n) {
    y = biased(p, "model." + std::to_string(3 * n - 1), y, n < n_layers ? 2 : 1);
    const std::string at = "model." + std::to_string(3 * n);
    if (norm == "batch") y = normed(y, true, &p.at(at + ".weight"), &p.at(at + ".bias"));
    if (norm == "instance") y = normed(y, false, nullptr, nullptr);
    y = rectified(y, 0.2);
  }
  return biased(p, "model." + std::to_string(3 * n_layers + 2), y, 1);
}

Discriminator discriminator_of(const Json& options, const Shape& picture) {
  return Discriminator(read_discriminator_options(options, "test"), picture, 3);
}

Tensors values_of(const Discriminator& discriminator) {
  Tensors values;
  for (const Parameter& parameter : discriminator.tensors()) values.push_back(parameter.tensor);
  return values;
}

TrainableModel small_srvgg() {
  return TrainableModel(initial_checkpoint(architecture_named("srvgg"),
                                           {{"num_in_ch", 3},
                                            {"num_out_ch", 3},
                                            {"num_feat", 4},
                                            {"num_conv", 1},
                                            {"upscale", 1},
                                            {"act_type", "prelu"}},
                                           1));
}

double mean_distance(const Doubles& x, const Doubles& z) {
  double sum = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) sum += std::abs(x.values[i] - z.values[i]);
  return sum / static_cast<double>(x.values.size());
}

/// A step's loss and gradients are those of `loss`, a function of the picture in double.
void check_critic_step(const Critic& critic, const Tensors& tensors, const Tensor& x,
                       const Tensor& target, const std::function<double(const Doubles&)>& loss) {
  const TrainableModel model = small_srvgg();
  const Tensors parameters = values_of(model);
  TrainingStep step(model, x.shape(), target.shape(), {}, {critic});
  const double value = step.run(parameters, x, target, tensors);
  const Tensor picture = model.forward(parameters, {x})[0];
  CHECK(relative_error(step.picture(), picture) <= 1e-6);
  CHECK(value == doctest::Approx(loss(Doubles(picture))).epsilon(1e-4));
  const Tensor cotangent = numeric_gradient(loss, Doubles(picture));
  const NetworkGradients eager = gradients_of(model, parameters, {x}, {cotangent});
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CAPTURE(model.parameters()[i].key);
    CHECK(relative_error(step.gradients()[i], eager.parameters[i]) <= 1e-4);
  }
}

}  // namespace

TEST_CASE("vgg19: every layer equals plain loops in double") {
  const Checkpoint checkpoint = small_numbers_vgg19(16);
  const Tensor x = random_tensor({1, 17, 16, 3}, 1);
  const std::vector<std::string> layers{"conv5_4", "relu1_1", "conv1_2", "conv2_2",
                                        "conv3_4", "relu4_1", "conv4_4", "relu5_4"};
  const std::vector<Tensor> got = Vgg19(checkpoint, layers)(x);
  const std::map<std::string, Doubles> expected = vgg19_features(checkpoint, Doubles(x));
  REQUIRE(got.size() == layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    CAPTURE(layers[i]);
    CHECK(relative_error(got[i], rounded(expected.at(layers[i]))) <= 1e-4);
  }
}

TEST_CASE("vgg19: what is behind the last layer may be missing, what is before it may not") {
  const Checkpoint four = small_numbers_vgg19(4);
  CHECK_NOTHROW(Vgg19(four, {"conv2_2"}));
  CHECK(thrown<CheckpointError>([&] { Vgg19(four, {"conv3_1"}); }).find("features.10.weight") !=
        std::string::npos);
  Checkpoint wrong = four;
  wrong.tensors["features.2.weight"] = make_stored_tensor({1}, {0.0f});
  CHECK(thrown<CheckpointError>([&] {
          Vgg19(wrong, {"conv2_2"});
        }).find("features.2.weight: checkpoint has [1]") != std::string::npos);
  CHECK_THROWS_AS(Vgg19(four, {"conv2_2"})(random_tensor({1, 16, 16, 1}, 1)), ShapeError);
  CHECK(Vgg19::has_layer("relu5_4"));
  CHECK_FALSE(Vgg19::has_layer("conv2_3"));
}

TEST_CASE("perceptual loss: a step is what double and its finite differences say") {
  const Checkpoint checkpoint = small_numbers_vgg19(3);
  const fs::path path =
      fs::temp_directory_path() / ("mend_vgg_" + std::to_string(::getpid()) + ".safetensors");
  write_safetensors(path.string(), checkpoint.tensors, {});
  const Json loss = {{"perceptual",
                      {{"weight", 0.5},
                       {"vgg19", path.string()},
                       {"layers", {{"conv1_2", 0.1}, {"relu2_1", 2}}}}}};
  const Critic critic = perceptual_critic(*make_losses(loss, "test").perceptual);
  fs::remove(path);
  const Tensor x = random_tensor({1, 6, 5, 3}, 1), target = random_tensor({1, 6, 5, 3}, 2);
  const auto wanted = vgg19_features(checkpoint, Doubles(target));
  check_critic_step(critic, {}, x, target, [&](const Doubles& picture) {
    const auto made = vgg19_features(checkpoint, picture);
    return 0.5 * (0.1 * mean_distance(made.at("conv1_2"), wanted.at("conv1_2")) +
                  2 * mean_distance(made.at("relu2_1"), wanted.at("relu2_1")));
  });
}

TEST_CASE("discriminators: logits equal plain loops in double") {
  const Tensor x = random_tensor({2, 24, 16, 3}, 5);
  for (const bool skips : {true, false}) {
    const Discriminator unet = discriminator_of(
        {{"name", "unet"}, {"num_feat", 3}, {"skip_connection", skips}}, x.shape());
    const Tensor got = unet(values_of(unet), {x})[0];
    REQUIRE(got.shape() == Shape{2, 24, 16, 1});
    CHECK(relative_error(got, rounded(unet_logits(numbers_of(unet), Doubles(x), skips))) <= 1e-5);
  }
  for (const char* norm : {"batch", "instance", "none"}) {
    CAPTURE(norm);
    const Discriminator patch = discriminator_of(
        {{"name", "patch"}, {"ndf", 3}, {"n_layers", 2}, {"norm", norm}}, x.shape());
    const Tensor got = patch(values_of(patch), {x})[0];
    CHECK(relative_error(got, rounded(patch_logits(numbers_of(patch), Doubles(x), 2, norm))) <=
          1e-4);
  }
}

TEST_CASE("gan: the network's step is what double and its finite differences say") {
  const Tensor x = random_tensor({1, 8, 8, 3}, 6), target = random_tensor({1, 8, 8, 3}, 7);
  const Json loss = Json::parse(
      R"({"gan": {"weight": 0.3, "kind": "vanilla", "discriminator": {"name": "unet", "num_feat": 2}}})");
  const Adversary adversary(*make_losses(loss, "test").adversarial, {{"name", "adam"}}, x.shape(),
                            1, 8);
  const Numbers p = numbers_of(adversary.discriminator());
  check_critic_step(adversary.critic(), adversary.tensors(), x, target,
                    [&](const Doubles& picture) {
                      const Doubles logits = unet_logits(p, picture, true);
                      double sum = 0;
                      for (const double z : logits.values) sum += std::log1p(std::exp(-z));
                      return 0.3 * sum / static_cast<double>(logits.values.size());
                    });
}

TEST_CASE("gan: a step of the discriminator goes down the loss of real and made pictures") {
  const Tensor real = random_tensor({2, 8, 8, 3}, 9), made = random_tensor({2, 8, 8, 3}, 10);
  const Json loss = Json::parse(R"({"gan": {"kind": "least_squares",
    "discriminator": {"name": "unet", "num_feat": 2}, "optimizer": {"name": "sgd", "learning_rate": 64, "momentum": 0}}})");
  Adversary adversary(*make_losses(loss, "test").adversarial, {}, real.shape(), 1, 11);
  const auto formula = [&](const Numbers& p) {
    double sum = 0;
    const Doubles of_real = unet_logits(p, Doubles(real), true);
    const Doubles of_made = unet_logits(p, Doubles(made), true);
    for (const double z : of_real.values) sum += (z - 1) * (z - 1);
    for (const double z : of_made.values) sum += z * z;
    return sum / static_cast<double>(of_real.values.size());
  };
  const Discriminator& discriminator = adversary.discriminator();
  const Numbers before = numbers_of(discriminator);
  CHECK(adversary.judge(real, made) == doctest::Approx(formula(before)).epsilon(1e-5));
  CHECK(adversary.gradient_norm(*alone()) > 0);
  // Without momentum a step is 64 times the gradient, far above the rounding of the weights.
  const Tensors start = values_of(discriminator);
  adversary.learn(1);
  for (std::size_t i = 0; i < start.size(); ++i) {
    const std::string& key = discriminator.tensors()[i].key;
    CAPTURE(key);
    if (!discriminator.is_trained()[i]) {
      CHECK_FALSE(identical(adversary.tensors()[i], start[i]));
      continue;
    }
    Numbers moved = before;
    const Tensor expected = numeric_gradient(
        [&](const Doubles& value) {
          moved.at(key) = value;
          return formula(moved);
        },
        before.at(key));
    const Tensor step = Tensor::empty(expected.shape());
    for (int k = 0; k < step.shape().elements(); ++k) {
      step.view<float>().data[k] = (start[i].view<const float>().data[k] -
                                    adversary.tensors()[i].view<const float>().data[k]) /
                                   64;
    }
    CHECK(relative_error(step, expected) <= 1e-4);
  }
}

TEST_CASE("discriminators: what they cannot look at, or be, is refused") {
  const auto refused = [](const Json& options, const Shape& picture) {
    return thrown<UsageError>([&] { discriminator_of(options, picture); });
  };
  const Json unet = {{"name", "unet"}, {"num_feat", 2}}, patch = {{"name", "patch"}, {"ndf", 2}};
  CHECK(refused(unet, {1, 12, 16, 3}).find("multiples of 8, not 16x12; change 'patch'") !=
        std::string::npos);
  CHECK(refused(patch, {1, 23, 32, 3}).find("24 pixels a side or more, not 32x23") !=
        std::string::npos);
  CHECK_NOTHROW(discriminator_of(patch, {1, 24, 24, 3}));
  CHECK(refused({{"name", "onet"}}, {1, 8, 8, 3}) ==
        "test: 'name' is 'onet'; it must be unet or patch");
  CHECK(refused({{"name", "unet"}, {"ndf", 2}}, {1, 8, 8, 3}) == "test: does not know 'ndf'");
  CHECK(refused({{"name", "patch"}, {"norm", "layer"}}, {1, 8, 8, 3}).find("'norm' is 'layer'") !=
        std::string::npos);
}

}  // namespace mend::test
