// Whole trainings on the GPU: parameters, gradients, memory and averages lie there.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/gpu.h"
#include "models/vgg19.h"
#include "tests/gpu/on_gpu.h"
#include "tests/gpu/small_training.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "tests/train/thread_replicas.h"
#include "tests/train/workplace.h"
#include "train/adapt.h"
#include "train/adversary.h"
#include "train/initialize.h"
#include "train/perceptual.h"
#include "weights/safetensors.h"

namespace mend::test {
namespace {

std::vector<double> trained(Device& device, const Recipe& recipe, const std::string& folder) {
  Trainer trainer = on(device, recipe, folder);
  return losses_of(trainer);
}

Checkpoint state_in(const std::string& folder) {
  return read_checkpoint(folder + "/state.safetensors");
}

/// ‖a − b‖ / ‖b‖ over all tensors whose names begin with `prefix`.
double difference(const Checkpoint& a, const Checkpoint& b, const std::string& prefix) {
  double squares = 0, all = 0;
  for (const auto& [name, tensor] : b.tensors) {
    if (!name.starts_with(prefix)) continue;
    const std::vector<float> mine = a.tensors.at(name).to_f32(), other = tensor.to_f32();
    for (std::size_t i = 0; i < other.size(); ++i) {
      squares += (double{mine[i]} - other[i]) * (double{mine[i]} - other[i]);
      all += double{other[i]} * other[i];
    }
  }
  return std::sqrt(squares / all);
}

constexpr const char* kDiscriminators[] = {
    R"({"kind": "vanilla", "discriminator": {"name": "unet", "num_feat": 4}})",
    R"({"kind": "least_squares", "discriminator": {"name": "unet", "num_feat": 4}})",
    R"({"kind": "hinge", "discriminator": {"name": "patch", "ndf": 4, "n_layers": 2}})",
};

/// VGG19's first two convolutions, with small random numbers.
void write_small_vgg19(const std::string& path) {
  Checkpoint checkpoint;
  int in = 3;
  for (const char* name : {"features.0", "features.2"}) {
    const Tensor weight = random_tensor({64, in, 3, 3}, 100 + in);
    std::vector<float> numbers(weight.view<const float>().data,
                               weight.view<const float>().data + weight.shape().elements());
    for (float& number : numbers) number *= std::sqrt(6.0f / static_cast<float>(9 * in));
    const std::string key = name;
    checkpoint.tensors[key + ".weight"] = make_stored_tensor({64, in, 3, 3}, numbers);
    checkpoint.tensors[key + ".bias"] = make_stored_tensor({64}, std::vector<float>(64, 0.1f));
    in = 64;
  }
  write_safetensors(path, checkpoint.tensors, {});
}

TrainableModel small_srvgg() {
  return TrainableModel(initial_checkpoint(architecture_named("srvgg"),
                                           {{"num_in_ch", 3},
                                            {"num_out_ch", 3},
                                            {"num_feat", 8},
                                            {"num_conv", 1},
                                            {"upscale", 1},
                                            {"act_type", "prelu"}},
                                           1));
}

Tensors moved_to_gpu(const Tensors& host) {
  Tensors there;
  for (const Tensor& tensor : host) there.push_back(to_gpu(tensor));
  return there;
}

/// Products in TF32 have gone through two networks.
constexpr double kTf32 = 2e-2;

/// A step seen by a critic has the CPU's loss and gradients. Returns the pictures on the CPU and the GPU.
std::pair<Tensor, Tensor> check_step(const Critic& here, const Critic& there,
                                     const Tensors& tensors, const Tensor& x,
                                     const Tensor& target) {
  const TrainableModel model = small_srvgg();
  const Tensors parameters = values_of(model);
  TrainingStep at_home(model, x.shape(), target.shape(), {}, {here});
  TrainingStep abroad(model, x.shape(), target.shape(), {}, {there}, LateReads::kKept, gpu(0));
  const double loss = at_home.run(parameters, x, target, tensors);
  CHECK(abroad.run(moved_to_gpu(parameters), x, target, moved_to_gpu(tensors)) ==
        doctest::Approx(loss).epsilon(kTf32));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CAPTURE(model.parameters()[i].key);
    CHECK(relative_error(to_host(abroad.gradients()[i]), at_home.gradients()[i]) < 5 * kTf32);
  }
  return {at_home.picture().clone(), abroad.picture().clone()};
}

}  // namespace

TEST_CASE("gpu: a network and its discriminator learn what they learn on the CPU") {
  const Tensor x = random_tensor({2, 16, 16, 3}, 1), target = random_tensor({2, 16, 16, 3}, 2);
  for (const char* options : kDiscriminators) {
    CAPTURE(options);
    const LossOptions losses = make_losses({{"gan", Json::parse(options)}}, "test");
    const Json optimizer = {{"name", "sgd"}, {"learning_rate", 1}, {"momentum", 0}};
    Adversary here(*losses.adversarial, optimizer, target.shape(), 1, 3);
    Adversary there(*losses.adversarial, optimizer, target.shape(), 1, 3, gpu(0));
    const auto pictures = check_step(here.critic(), there.critic(), here.tensors(), x, target);
    const Tensors before = copies_of(here.tensors());
    for (int step = 0; step < 2; ++step) {
      const double loss = here.judge(target, pictures.first);
      CHECK(there.judge(target, pictures.second) == doctest::Approx(loss).epsilon(kTf32));
      const double norm = here.gradient_norm(*alone());
      CHECK(there.gradient_norm(*alone()) == doctest::Approx(norm).epsilon(5 * kTf32));
      here.learn(0.1);
      there.learn(0.1);
    }
    for (std::size_t i = 0; i < before.size(); ++i) {
      CAPTURE(here.discriminator().tensors()[i].key);
      CHECK_FALSE(identical(to_host(there.tensors()[i]), before[i]));
      CHECK(relative_error(to_host(there.tensors()[i]), here.tensors()[i]) < kTf32);
    }
  }
}

TEST_CASE("gpu: a perceptual loss is what it is on the CPU") {
  const Workplace place;
  write_small_vgg19(place.folder("vgg19.safetensors"));
  for (const char* criterion : {"l1", "mse"}) {
    const Json loss = {{"perceptual",
                        {{"vgg19", place.folder("vgg19.safetensors")},
                         {"layers", {{"relu1_1", 1}, {"conv1_2", 0.5}}},
                         {"criterion", criterion}}}};
    const Critic critic = perceptual_critic(*make_losses(loss, "test").perceptual);
    check_step(critic, critic, {}, random_tensor({1, 10, 9, 3}, 1),
               random_tensor({1, 10, 9, 3}, 2));
  }
}

TEST_CASE("gpu: an adversarial training that was stopped and resumed has the same bits") {
  const Workplace place;
  write_small_vgg19(place.folder("vgg19.safetensors"));
  const std::string loss = R"(, "accumulate": 2, "loss": {"l1": 1,
      "perceptual": {"weight": 0.1, "vgg19": ")" +
                           place.folder("vgg19.safetensors") +
                           R"(", "layers": {"conv1_1": 1}}, "gan": )" + kDiscriminators[0] + "}";
  Recipe recipe = small_recipe(place, loss);
  recipe.batch = 1;
  recipe.steps = 2;
  const std::vector<double> losses = trained(gpu(0), recipe, place.folder("whole"));
  const std::vector<double> expected = trained(cpu(), recipe, place.folder("cpu"));
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CHECK(losses[i] == doctest::Approx(expected[i]).epsilon(3e-2));
  }
  on(gpu(0), recipe, place.folder("parts")).run({}, 1e-9);
  trained(gpu(0), recipe, place.folder("parts"));
  for (const char* name :
       {"/state.safetensors", "/model.safetensors", "/discriminator.safetensors"}) {
    CHECK(bytes_of(place.folder("whole") + name) == bytes_of(place.folder("parts") + name));
  }
}

TEST_CASE("gpu: a training goes as on the CPU, also in several batches a step") {
  const Workplace place;
  for (const std::string changes : {"", R"(, "accumulate": 2)"}) {
    CAPTURE(changes);
    const Recipe recipe = small_recipe(place, changes);
    const std::string here = place.folder("cpu" + changes), there = place.folder("gpu" + changes);
    const std::vector<double> expected = trained(cpu(), recipe, here);
    const std::vector<double> losses = trained(gpu(0), recipe, there);
    REQUIRE(losses.size() == expected.size());
    for (std::size_t i = 0; i < losses.size(); ++i) {
      CHECK(losses[i] == doctest::Approx(expected[i]).epsilon(2e-2));
    }
    // TF32 gradients, whose signs Adam's first steps look at more than at their size.
    for (const char* prefix : {"parameter/", "average/"}) {
      CHECK(difference(state_in(there), state_in(here), prefix) < 3e-2);
    }
  }
}

TEST_CASE("gpu: two processes on two GPUs learn what one learns, also a discriminator") {
  const Workplace place;
  for (const std::string& changes :
       {std::string(R"(, "loss": "mse")"), std::string(kSmallAdversary)}) {
    CAPTURE(changes);
    Recipe recipe = small_recipe(place, changes);
    recipe.batch = 4;
    const std::string one = place.folder("one" + std::to_string(changes.size()));
    const std::string two = place.folder("two" + std::to_string(changes.size()));
    const std::vector<double> expected = trained(gpu(0), recipe, one);
    std::vector<double> losses;
    const auto thrown = on_replicas(2, [&](const std::shared_ptr<Replicas>& replicas) {
      Trainer trainer = on(gpu(0, replicas->rank()), recipe, two, replicas);
      trainer.run([&](const StepReport& report) {
        if (replicas->leads()) losses.push_back(report.loss);
      });
    });
    CHECK(thrown == std::vector<std::string>(2));  // also if their parameters have other bits
    REQUIRE(losses.size() == expected.size());
    for (std::size_t i = 0; i < losses.size(); ++i) {
      CHECK(losses[i] == doctest::Approx(expected[i]).epsilon(1e-3));
    }
    CHECK(difference(state_in(two), state_in(one), "parameter/") < 1e-2);
  }
}

TEST_CASE("gpu: a training that was stopped and resumed has the same bits") {
  const Workplace place;
  const Recipe recipe = small_recipe(place);
  trained(gpu(0), recipe, place.folder("whole"));
  for (int step = 1; step <= 2; ++step) {
    Trainer first = on(gpu(0), recipe, place.folder("parts"));
    first.run({}, 1e-9);  // one step
    CHECK(first.steps_done() == step);
  }
  trained(gpu(0), recipe, place.folder("parts"));
  for (const char* name : {"/state.safetensors", "/model.safetensors"}) {
    CHECK(bytes_of(place.folder("whole") + name) == bytes_of(place.folder("parts") + name));
  }
}

TEST_CASE("gpu: a training begun on one device goes on on the other with what that had") {
  const Workplace place;
  const Recipe recipe = small_recipe(place);
  for (Device* first : {&cpu(), &gpu(0)}) {
    Device& second = first == &cpu() ? gpu(0) : cpu();
    const std::string folder = place.folder(std::string(first->name()));
    on(*first, recipe, folder).run({}, 1e-9);
    const Checkpoint before = state_in(folder);
    {
      Recipe still = recipe;
      still.steps = 1;  // what it has read, it writes again
      Trainer trainer = on(second, still, folder);
      CHECK(trainer.steps_done() == 1);
      trainer.write_model(folder + "/as_read.safetensors");
    }
    CHECK(bytes_of(folder + "/as_read.safetensors") == bytes_of(folder + "/model.safetensors"));
    Trainer trainer = on(second, recipe, folder);
    CHECK(losses_of(trainer).size() == 5);
    CHECK(state_in(folder).metadata.at("step") == "6");
    CHECK(difference(state_in(folder), before, "parameter/") > 0);
  }
}

TEST_CASE("gpu: a checkpoint goes on learning there, and is validated there") {
  const Workplace place;
  trained(cpu(), small_recipe(place), place.folder("first"));
  Recipe recipe = place.recipe(R"(, "start": ")" + place.folder("first/model.safetensors") + "\"");
  recipe.steps = 3;
  recipe.validate_every = 1;
  std::vector<double> psnr[2];
  for (Device* device : {&cpu(), &gpu(0)}) {
    const int i = device == &cpu() ? 0 : 1;
    Trainer trainer(
        recipe, place.folder("tuned" + std::to_string(i)), ignore, alone(),
        [](const std::string& path) { return read_checkpoint(path); }, *device);
    trainer.run({});
    std::ifstream file(place.folder("tuned" + std::to_string(i)) + "/validation.csv");
    std::string line;
    std::getline(file, line);  // step,psnr,...
    while (std::getline(file, line)) psnr[i].push_back(std::stod(line.substr(line.find(',') + 1)));
  }
  REQUIRE(psnr[1].size() == 3);
  for (int i = 0; i < 3; ++i) CHECK(psnr[1][i] == doctest::Approx(psnr[0][i]).epsilon(2e-3));
  CHECK(std::filesystem::exists(place.folder("tuned1/sheet.png")));
}

TEST_CASE("gpu: a network learns from one picture alone there") {
  Image image = make_image(36, 32, 3, 8);
  for (int i = 0; i < 36 * 32 * 3; ++i) {
    image.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i * 37 % 101 + 60);
  }
  const auto learned = [&](Device& device) {
    AdaptOptions options;
    options.seconds = 1e6;
    options.most_steps = 2;
    options.tiles.devices = {&device};
    return adapt_upscale(image, 2, options);
  };
  const Adapted here = learned(cpu()), there = learned(gpu(0));
  CHECK(there.learned.steps == 2);
  CHECK(there.learned.best_psnr == doctest::Approx(here.learned.best_psnr).epsilon(1e-2));
  CHECK(there.image.width == 72);
}

TEST_CASE("gpu: a rate that is far too high goes back, and ends in an error, not in NaN weights") {
  const Workplace place;
  Recipe recipe = small_recipe(place);
  recipe.schedule.peak = 1e38;
  recipe.clip = 0;
  recipe.steps = 100;
  Trainer trainer = on(gpu(0), recipe, place.folder("run"));
  CHECK_THROWS_AS(trainer.run({}), NumericError);
  CHECK_NOTHROW(load_model(read_checkpoint(place.folder("run") + "/model.safetensors")));
}

}  // namespace mend::test
