#include "train/recipe.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/error.h"
#include "models/task.h"
#include "train/entries.h"

namespace mend {
namespace {

namespace fs = std::filesystem;

/// "2G", "500M" or a number of bytes.
std::int64_t bytes_of(const Json& value, const Entries& entries) {
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    const std::string unit = end;
    const double factor = unit == "G" ? 0x1p30 : unit == "M" ? 0x1p20 : unit == "k" ? 0x1p10 : 0;
    if (factor > 0 && number > 0 && number * factor < 0x1p50) {
      return static_cast<std::int64_t>(number * factor);
    }
  }
  entries.refuse(fmt::format("'cache' is {}; write \"1G\", \"500M\" or bytes", value.dump()));
}

/// Relative places are beside the recipe.
void resolve(std::string& place, const fs::path& folder) {
  if (place.empty() || !fs::path(place).is_relative()) return;
  place = (folder / place).lexically_normal().string();
}

void resolve(std::vector<std::string>& places, const fs::path& folder) {
  for (std::string& place : places) resolve(place, folder);
}

void take_schedule(Recipe& recipe, Entries& entries, const std::string& path) {
  recipe.schedule.steps = recipe.steps;
  if (const auto rate = recipe.optimizer.find("learning_rate"); rate != recipe.optimizer.end()) {
    if (!rate->is_number()) entries.refuse("'optimizer.learning_rate' must be a number");
    recipe.schedule.peak = rate->get<double>();
  }
  const Json* given = entries.entry("schedule");
  if (given == nullptr) return;
  Entries schedule(*given, path + ": schedule");
  std::string name = "cosine";
  schedule.take("name", name);
  using Kind = Schedule::Kind;
  if (name != "constant" && name != "cosine" && name != "multi_step") {
    schedule.refuse(fmt::format("'{}' is none of constant, cosine, multi_step", name));
  }
  recipe.schedule.kind = name == "constant" ? Kind::kConstant
                         : name == "cosine" ? Kind::kCosine
                                            : Kind::kMultiStep;
  schedule.take("warm_up", recipe.schedule.warm_up, std::int64_t{0}, recipe.steps);
  schedule.take("final", recipe.schedule.final, 0.0, recipe.schedule.peak);
  schedule.take("factor", recipe.schedule.factor, 0.0, 1.0);
  schedule.take("milestones", recipe.schedule.milestones);
  schedule.finish();
}

void take_network(Recipe& recipe, Entries& entries) {
  const Json* network = entries.entry("network");
  if (network == nullptr || !network->is_object() || !network->contains("name") ||
      !(*network)["name"].is_string()) {
    entries.refuse("needs 'network', an object with 'name' and the network's hyper-parameters");
  }
  recipe.hyperparameters = *network;
  recipe.architecture = (*network)["name"].get<std::string>();
  recipe.hyperparameters.erase("name");
}

/// "largest_side": one number, or several.
void take_sides(Recipe& recipe, Entries& entries) {
  const Json* given = entries.entry("largest_side");
  if (given == nullptr) return;
  const Json sides = given->is_array() ? *given : Json::array({*given});
  recipe.largest_sides.clear();
  for (const Json& side : sides) {
    if (!side.is_number_integer() || side < 0 || side > 1 << 20) {
      entries.refuse(
          fmt::format("'largest_side' is {}; write 2048, or [2048, 1024]", given->dump()));
    }
    recipe.largest_sides.push_back(side.get<int>());
  }
  if (sides.empty()) entries.refuse("'largest_side' is empty");
}

void take_validation(Recipe& recipe, Entries& entries, const std::string& path) {
  const Json* given = entries.entry("validate");
  if (given == nullptr) return;
  Entries validate(*given, path + ": validate");
  validate.take("pictures", recipe.held_out);
  validate.take("every", recipe.validate_every, std::int64_t{1}, std::int64_t{1} << 40);
  validate.take("count", recipe.validate_count, 1, 10'000);
  validate.take("side", recipe.validate_side, 16, 4096);
  validate.finish();
}

}  // namespace

Recipe parse_recipe(const std::string& text, const std::string& path) {
  Json json;
  try {
    json = Json::parse(text, nullptr, true, /*ignore_comments=*/true);
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(fmt::format("{}: no JSON: {}", path, error.what()));
  }
  Recipe recipe;
  recipe.text = text;
  recipe.name = fs::path(path).stem().string();
  Entries entries(json, path);
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  entries.take("task", recipe.task);
  if (!recipe.task.empty() && !is_task(recipe.task)) {
    entries.refuse(fmt::format("'task' is '{}', which is none; see `mend --help`", recipe.task));
  }
  take_network(recipe, entries);
  entries.take("initialize", recipe.initialize);
  entries.take("start", recipe.start);
  entries.take("renamed", recipe.renamed);
  if (!recipe.renamed.empty() && recipe.start.empty()) {
    entries.refuse("'renamed' is of layers of 'start', which is missing");
  }
  entries.take("seed", recipe.seed);
  entries.take("steps", recipe.steps, std::int64_t{1}, kMost);
  entries.take("batch", recipe.batch, 1, 4096);
  entries.take("patch", recipe.patch, 8, 4096);
  entries.take("margin", recipe.margin, 0, 256);
  entries.take("scale", recipe.scale, 1, 8);
  entries.take("gray", recipe.gray);
  entries.take("gray_share", recipe.gray_share, 0.0, 1.0);
  entries.take("pictures", recipe.pictures);
  take_sides(recipe, entries);
  entries.take("looks", recipe.looks, 1, 1000);
  if (const Json* cache = entries.entry("cache")) recipe.cache_bytes = bytes_of(*cache, entries);
  entries.take("before", recipe.before);
  entries.take("degrade", recipe.degrade);
  entries.take("mask", recipe.mask);
  entries.take("accumulate", recipe.accumulate, 1, 4096);
  if (const Json* loss = entries.entry("loss")) recipe.loss = make_losses(*loss, path + ": loss");
  entries.take("optimizer", recipe.optimizer);
  take_schedule(recipe, entries, path);
  entries.take("clip", recipe.clip, 0.0, 1e9);
  entries.take("average", recipe.average, 0.0, 0.999999);
  take_validation(recipe, entries, path);
  entries.take("checkpoint_every", recipe.checkpoint_every, std::int64_t{1}, kMost);
  entries.take("checkpointing", recipe.checkpointing);
  std::string precision = "f32";
  entries.take("precision", precision);
  if (precision != "f32" && precision != "bf16") {
    entries.refuse(fmt::format("'precision' is '{}'; it must be f32 or bf16", precision));
  }
  recipe.precision = precision_named(precision);
  entries.finish();
  const fs::path folder = fs::path(path).parent_path();
  resolve(recipe.pictures, folder);
  resolve(recipe.held_out, folder);
  resolve(recipe.start, folder);
  if (recipe.loss.perceptual) resolve(recipe.loss.perceptual->vgg19, folder);
  if (recipe.loss.adversarial) resolve(recipe.loss.adversarial->discriminator.start, folder);
  return recipe;
}

void take_precision(Recipe& recipe, const std::string& name) {
  if (name == "f32" || precision_named(name) == recipe.precision) return;
  if (name != "bf16") {
    throw UsageError(fmt::format("--precision {}: trainings run in f32 or bf16", name));
  }
  recipe.precision = Precision::kBF16;
  recipe.text += "\n// --precision bf16";
}

Recipe read_recipe(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UsageError(fmt::format("{}: cannot be read; give the path of a recipe", path));
  constexpr std::size_t kMostBytes = 1 << 20;
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.size() > kMostBytes) throw UsageError(fmt::format("{}: too large for a recipe", path));
  return parse_recipe(text, path);
}

}  // namespace mend
