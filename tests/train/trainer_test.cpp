#include "train/trainer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "models/registry.h"
#include "tests/support/guarded.h"
#include "tests/support/thrown.h"
#include "tests/train/workplace.h"
#include "train/ingredients.h"
#include "train/initialize.h"

namespace mend::test {
namespace {

namespace fs = std::filesystem;

double mean(const std::vector<double>& values, std::size_t first, std::size_t count) {
  double sum = 0;
  for (std::size_t i = first; i < first + count; ++i) sum += values[i];
  return sum / static_cast<double>(count);
}

}  // namespace

TEST_CASE("training: the loss falls, and the folder holds what it should") {
  const Workplace place;
  std::vector<std::string> told;
  Trainer trainer(place.recipe(), place.folder("run"),
                  [&](const std::string& line) { told.push_back(line); });
  const std::vector<double> losses = losses_of(trainer);
  REQUIRE(losses.size() == 40);
  CHECK(mean(losses, 30, 10) < 0.7 * mean(losses, 0, 5));
  for (const char* name : {"state.safetensors", "model.safetensors", "best.safetensors", "log.csv",
                           "log.jsonl", "validation.csv", "curve.png", "sheet.png"}) {
    CAPTURE(name);
    CHECK(fs::exists(place.folder("run") + "/" + name));
  }
  CHECK(told.size() == 2);  // the validations
  const Model model = load_model(read_checkpoint(place.folder("run") + "/model.safetensors"));
  CHECK(model.name == "srvgg");
  CHECK(model.traits.scale == 2);
}

TEST_CASE("training: stopped and resumed it has the same bits, on one thread and on two") {
  const Workplace place;
  Trainer whole(place.recipe(), place.folder("whole"), ignore);
  whole.run({});
  {
    Trainer first(place.recipe(), place.folder("parts"), ignore);
    first.run({}, 1e-9);  // one step
  }
  const int before = threads();
  set_threads(1);
  Trainer second(place.recipe(), place.folder("parts"), ignore);
  CHECK(second.steps_done() == 1);
  second.run({});
  set_threads(before);
  CHECK(bytes_of(place.folder("whole") + "/model.safetensors") ==
        bytes_of(place.folder("parts") + "/model.safetensors"));
  CHECK(bytes_of(place.folder("whole") + "/state.safetensors") ==
        bytes_of(place.folder("parts") + "/state.safetensors"));
  CHECK(bytes_of(place.folder("whole") + "/validation.csv") ==
        bytes_of(place.folder("parts") + "/validation.csv"));
}

TEST_CASE("training: a folder of another recipe is refused") {
  const Workplace place;
  Trainer(place.recipe(), place.folder("run"), ignore).run({}, 1e-9);
  CHECK(thrown<UsageError>([&] {
          Trainer(place.recipe(R"(, "average": 0.9)"), place.folder("run"), ignore);
        }).find("another recipe") != std::string::npos);
  std::ofstream(place.folder("run") + "/state.safetensors", std::ios::binary) << "half a file";
  CHECK_THROWS_AS(Trainer(place.recipe(), place.folder("run"), ignore), CheckpointError);
}

TEST_CASE("training: a rate that is far too high ends in an error, not in NaN weights") {
  const Workplace place;
  std::vector<std::string> told;
  Recipe recipe = place.recipe();
  recipe.schedule.peak = 1e38;
  recipe.clip = 0;
  recipe.held_out.clear();
  Trainer trainer(recipe, place.folder("run"),
                  [&](const std::string& line) { told.push_back(line); });
  CHECK(thrown<NumericError>([&] { trainer.run({}); }).find("lower the learning rate") !=
        std::string::npos);
  CHECK(told.size() > 8);
  CHECK_NOTHROW(load_model(read_checkpoint(place.folder("run") + "/model.safetensors")));
}

TEST_CASE("training: what a planned step computes is what the eager tape does") {
  const Workplace place;
  const Recipe recipe = place.recipe();
  const TrainableModel model(
      initial_checkpoint(*std::find_if(architectures().begin(), architectures().end(),
                                       [](const Architecture& row) { return row.name == "srvgg"; }),
                         recipe.hyperparameters, 1));
  const Tensor x = random_tensor({2, 9, 11, 3}, 1), target = random_tensor({2, 18, 22, 3}, 2);
  TrainingStep step(model, x.shape(), target.shape(), make_objective("charbonnier", "test"));
  const Tensors parameters = values_of(model);
  const double value = step.run(parameters, x, target);
  const Tensor prediction = model.forward(parameters, {x})[0];
  const Loss loss = charbonnier_loss(prediction, target);
  CHECK(value == doctest::Approx(loss.value).epsilon(1e-6));
  const NetworkGradients eager = gradients_of(model, parameters, {x}, {loss.gradient});
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CAPTURE(model.parameters()[i].key);
    CHECK(relative_error(step.gradients()[i], eager.parameters[i]) <= 1e-5);
  }
}

TEST_CASE("training: layers that start as zero and as identity make DRUNet give back its input") {
  const Json hyperparameters = Json::parse(
      R"({"in_nc": 3, "out_nc": 3, "nc": [8, 8, 12, 12], "nb": 1, "bias": false, "act_mode": "R",
          "downsample_mode": "strideconv", "upsample_mode": "convtranspose"})");
  const auto result = [&](const char* rules, const Tensor& x) {
    Checkpoint first = initial_checkpoint(architecture_named("drunet"), hyperparameters, 4);
    start_layers(first, Json::parse(rules));
    const TrainableModel model(first);
    return model.forward(values_of(model), {x})[0];
  };
  const Tensor x = random_tensor({1, 16, 24, 3}, 3);
  CHECK(relative_error(
            result(R"({"zero": ["*.res.2", "m_up1.0"], "identity": ["m_head", "m_tail"]})", x),
            x) <= 1e-6);
  CHECK_FALSE(relative_error(result(R"({"zero": ["*.res.2"]})", x), x) <= 0.1);
  CHECK_THROWS_AS(result(R"({"zero": ["*.res.9"]})", x), UsageError);
  CHECK_THROWS_AS(result(R"({"identity": ["m_up1.0"]})", x), UsageError);  // 2x2
  CHECK_THROWS_AS(result(R"({"ones": ["m_head"]})", x), UsageError);
}

TEST_CASE("training: a deeper network begins as the shallower one whose layers it takes") {
  const auto network = [](int blocks) {
    return Json{{"in_nc", 3},
                {"out_nc", 3},
                {"nc", {8, 8, 12, 12}},
                {"nb", blocks},
                {"bias", false},
                {"act_mode", "R"},
                {"downsample_mode", "strideconv"},
                {"upsample_mode", "convtranspose"}};
  };
  const Checkpoint shallow = initial_checkpoint(architecture_named("drunet"), network(1), 4);
  const auto deeper = [&](Json renamed) {
    Json described = network(2);
    described["name"] = "drunet";
    const Json recipe = {{"task", "denoise"},
                         {"network", described},
                         {"start", "shallow.safetensors"},
                         {"renamed", std::move(renamed)},
                         {"initialize", {{"zero", {"*.res.2"}}}},
                         {"pictures", {"pictures"}}};
    return first_checkpoint(
        parse_recipe(recipe.dump(), "recipe.json"), [](const std::string&) {},
        [&](const std::string&) { return shallow; });
  };
  const auto result = [](const Checkpoint& checkpoint) {
    const TrainableModel model(checkpoint);
    return model.forward(values_of(model), {random_tensor({1, 16, 24, 3}, 3)})[0];
  };
  const Json renamed = {{"m_down1.1", "m_down1.2"},
                        {"m_down2.1", "m_down2.2"},
                        {"m_down3.1", "m_down3.2"},
                        {"m_body", "m_body.0"}};
  CHECK(relative_error(result(deeper(renamed)), result(shallow)) <= 1e-6);
  CHECK_FALSE(relative_error(result(deeper(Json::object())), result(shallow)) <= 0.01);
  CHECK_THROWS_WITH_AS(deeper({{"m_down9", "m_down1"}}),
                       doctest::Contains("has no layer 'm_down9'"), UsageError);
  CHECK_THROWS_AS(deeper({{"m_body", 1}}), UsageError);
  CHECK_THROWS_WITH(
      parse_recipe(R"({"network": {"name": "drunet"}, "renamed": {"a": "b"}})", "recipe.json"),
      doctest::Contains("'renamed' is of layers of 'start'"));
}

TEST_CASE("training: colours from lightness") {
  const Workplace place;
  const Recipe recipe = parse_recipe(R"({
      "task": "colorize",
      "network": {"name": "drunet", "in_nc": 1, "out_nc": 2, "nc": [4, 4, 4, 4], "nb": 1,
                  "bias": true, "act_mode": "R", "downsample_mode": "strideconv",
                  "upsample_mode": "convtranspose"},
      "steps": 60, "batch": 2, "patch": 16, "margin": 0, "pictures": ["pictures"],
      "optimizer": {"name": "adam", "learning_rate": 1e-2},
      "validate": {"pictures": ["pictures"], "every": 60, "count": 2, "side": 32}})",
                                     place.folder("recipe.json"));
  std::string told;
  Trainer trainer(recipe, place.folder("colours"), [&](const std::string& line) { told = line; });
  double first = 0, last = 0;
  trainer.run([&](const StepReport& report) { (report.step == 1 ? first : last) = report.loss; });
  CHECK(first > 1);  // a*b* of these pictures, in their own units
  CHECK(last < 0.8 * first);
  CHECK(told.find("PSNR") != std::string::npos);
  const Image sheet = read_image(place.folder("colours") + "/sheet.png");
  CHECK(sheet.channels == 3);
  CHECK(sheet.width == 3 * 32);
  const Model model = load_model(read_checkpoint(place.folder("colours") + "/model.safetensors"));
  CHECK(model.traits.gives_colours());
}

TEST_CASE("training: a recipe may start from another network's tensors") {
  const Workplace place;
  Recipe recipe = place.recipe();
  const std::string first = place.folder("first"), second = place.folder("second");
  Trainer(recipe, first, ignore).run({});
  Json other = recipe.hyperparameters;
  other["upscale"] = 3;
  recipe.hyperparameters = other;
  recipe.scale = 3;
  recipe.degrade[0]["scale"] = 1.0 / 3;
  recipe.start = first + "/model.safetensors";
  recipe.steps = 1;
  recipe.schedule = {.kind = Schedule::Kind::kConstant, .peak = 0};
  recipe.text = "x3";
  std::string told;
  Trainer(recipe, second, [&](const std::string& line) { told += line; }).run({});
  CHECK(told.find("tensors are taken from there") != std::string::npos);
  const Checkpoint before = read_checkpoint(recipe.start);
  const Checkpoint after = read_checkpoint(second + "/model.safetensors");
  int same = 0;
  for (const auto& [key, tensor] : before.tensors) {
    if (after.tensors.at(key).shape != tensor.shape) continue;
    CHECK(after.tensors.at(key).to_f32() == tensor.to_f32());
    ++same;
  }
  CHECK(same > 0);
  CHECK(same < static_cast<int>(before.tensors.size()));  // the last convolution makes x3
}

TEST_CASE("training: DRUNet learns to fill holes, and its checkpoint says so") {
  const Workplace place;
  const std::string text = R"({
    "task": "inpaint",
    "network": {"name": "drunet", "in_nc": 4, "out_nc": 3, "nc": [8, 8, 8, 8], "nb": 1, "bias": false,
                "act_mode": "R", "downsample_mode": "strideconv", "upsample_mode": "convtranspose"},
    "steps": 60, "batch": 2, "patch": 16, "margin": 0, "pictures": ["pictures"],
    "mask": [{"do": "holes", "share": 0.15, "size": [1, 3]}],
    "optimizer": {"name": "adam", "learning_rate": 3e-3},
    "validate": {"pictures": ["pictures"], "every": 60, "count": 1, "side": 24})";
  const auto recipe = [&](const std::string& changed) {
    return parse_recipe(changed + "}", place.folder("recipe.json"));
  };
  std::string told;
  Trainer trainer(recipe(text), place.folder("run"),
                  [&](const std::string& line) { told += line; });
  const std::vector<double> losses = losses_of(trainer);
  CHECK(mean(losses, 50, 10) < 0.7 * mean(losses, 0, 5));
  CHECK(told.find("the best so far") != std::string::npos);
  const Model model = load_model(read_checkpoint(place.folder("run") + "/model.safetensors"));
  CHECK(model.traits.tasks == std::vector<std::string>{"inpaint"});
  CHECK(model.traits.condition == Condition::kMaskMap);

  const auto refused = [&](Recipe other) {
    return thrown<UsageError>([&] { Trainer(std::move(other), place.folder("other"), ignore); });
  };
  Recipe no_mask = recipe(text);
  no_mask.mask = Json::array();
  CHECK(refused(no_mask).find("the recipe needs 'mask'") != std::string::npos);
  Recipe no_task = recipe(text);
  no_task.task = "denoise";
  CHECK(refused(no_task).find("does not take one for denoise") != std::string::npos);
}

TEST_CASE("training: bf16 is asked for by the recipe or beside it, and makes another recipe") {
  const Workplace place;
  Recipe recipe = place.recipe(R"(, "precision": "bf16")");
  CHECK(recipe.precision == Precision::kBF16);
  const std::string text = recipe.text;
  for (const char* same : {"f32", "bf16"}) take_precision(recipe, same);
  CHECK(recipe.text == text);
  recipe = place.recipe();
  const std::string before = recipe.text;
  take_precision(recipe, "bf16");
  CHECK(recipe.precision == Precision::kBF16);
  CHECK(recipe.text != before);
  CHECK_THROWS_AS(take_precision(recipe, "f16"), UsageError);
  CHECK_THROWS_AS(place.recipe(R"(, "precision": "f16")"), UsageError);
}

TEST_CASE("recipes: errors name the file and the entry") {
  const auto refused = [](const char* text) {
    return thrown<UsageError>([&] { parse_recipe(text, "my.json"); });
  };
  CHECK(refused("{").find("my.json: no JSON") != std::string::npos);
  CHECK(refused(R"({"task": "upscale"})").find("needs 'network'") != std::string::npos);
  CHECK(refused(R"({"network": {"name": "srvgg"}, "stepz": 1})").find("does not know 'stepz'") !=
        std::string::npos);
  CHECK(refused(R"({"task": "inpain", "network": {"name": "srvgg"}})").find("'inpain'") !=
        std::string::npos);
  CHECK(refused(R"({"network": {"name": "srvgg"}, "batch": 0})").find("'batch' is 0") !=
        std::string::npos);
  CHECK(refused(R"({"network": {"name": "srvgg"}, "schedule": {"name": "cosin"}})")
            .find("none of constant, cosine, multi_step") != std::string::npos);
  CHECK(refused(R"({"network": {"name": "srvgg"}, "cache": "much"})").find("'cache'") !=
        std::string::npos);
  CHECK(refused(R"({"network": {"name": "srvgg"}, "largest_side": [9, "x"]})")
            .find("'largest_side'") != std::string::npos);
}

TEST_CASE("training: a hyper-parameter that the recipe left out is named") {
  const Workplace place;
  Recipe recipe = place.recipe();
  recipe.hyperparameters.erase("num_feat");
  const std::string said =
      thrown<CheckpointError>([&] { Trainer(recipe, place.folder("run"), ignore); });
  CHECK(said.find("num_feat is missing") != std::string::npos);
}

TEST_CASE("schedules: warm-up, cosine and steps") {
  Schedule cosine{
      .kind = Schedule::Kind::kCosine, .peak = 1, .final = 0.1, .warm_up = 10, .steps = 110};
  CHECK(cosine.rate(0) == doctest::Approx(0.1));
  CHECK(cosine.rate(10) == doctest::Approx(1));
  CHECK(cosine.rate(60) == doctest::Approx(0.55));
  CHECK(cosine.rate(110) == doctest::Approx(0.1));
  const Schedule steps{
      .kind = Schedule::Kind::kMultiStep, .peak = 2, .steps = 100, .milestones = {30, 60}};
  CHECK(steps.rate(29) == doctest::Approx(2));
  CHECK(steps.rate(30) == doctest::Approx(1));
  CHECK(steps.rate(99) == doctest::Approx(0.5));
}

}  // namespace mend::test
