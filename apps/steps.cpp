#include "apps/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "apps/model_source.h"
#include "apps/task_options.h"
#include "engine/error.h"

namespace mend {
namespace {

struct StepText {
  std::string task, value;
};

/// Tasks that need nothing but the picture, and what the number behind the colon is.
enum class Value { kSigma, kQuality, kScale, kStrength };
constexpr std::pair<std::string_view, Value> kTasks[] = {
    {"denoise", Value::kSigma},     {"dejpeg", Value::kQuality},    {"upscale", Value::kScale},
    {"deblur", Value::kStrength},   {"derain", Value::kStrength},   {"dehaze", Value::kStrength},
    {"lowlight", Value::kStrength}, {"colorize", Value::kStrength}, {"restore", Value::kStrength},
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts = {""};
  for (const char letter : text) {
    if (letter == separator) {
      parts.emplace_back();
    } else if (letter != ' ') {
      parts.back() += letter;
    }
  }
  return parts;
}

std::vector<StepText> parse_steps(const std::string& text) {
  std::vector<StepText> steps;
  for (const std::string& part : split(text, ',')) {
    const std::size_t colon = part.find(':');
    StepText step{part.substr(0, colon), colon == std::string::npos ? "" : part.substr(colon + 1)};
    if (colon != std::string::npos && step.value.empty()) {
      throw UsageError(fmt::format("--steps {}: nothing follows the colon of '{}'", text, part));
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

Value value_of(const std::string& task) {
  std::string known;
  for (const auto& [name, value] : kTasks) {
    if (name == task) return value;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  }
  throw UsageError(fmt::format("--steps: '{}' is no step; there are {}", task, known));
}

float parse_number(const StepText& step, float low, float high) {
  float number = 0;
  const char* const end = step.value.data() + step.value.size();
  const auto [stop, error] = std::from_chars(step.value.data(), end, number);
  if (error == std::errc() && stop == end && number >= low && number <= high) return number;
  throw UsageError(
      fmt::format("--steps {}:{}: write a number from {} to {}", step.task, step.value, low, high));
}

TaskSettings settings_of(const StepText& step) {
  TaskSettings settings;
  const Value kind = value_of(step.task);
  if (step.value.empty()) return settings;
  switch (kind) {
    case Value::kSigma:
      settings.sigma = parse_number(step, 0, 255);
      break;
    case Value::kQuality:
      settings.jpeg_quality = step.value;
      break;
    case Value::kScale:
      settings.scale = parse_integers(step.value, 1, "--steps upscale:").front();
      if (settings.scale < 1 || settings.scale > 8) parse_number(step, 1, 8);
      break;
    case Value::kStrength:
      settings.strength = parse_number(step, 0, 1);
      break;
  }
  return settings;
}

/// Checkpoints by task; "" is for the only step.
std::map<std::string, std::string> checkpoints_by_task(const std::vector<std::string>& weights) {
  std::map<std::string, std::string> checkpoints;
  for (const std::string& entry : weights) {
    std::string task, file = entry;
    for (const auto& [name, value] : kTasks) {  // a file's name may have an = of its own
      if (!entry.starts_with(std::string(name) + "=")) continue;
      task = name;
      file = entry.substr(name.size() + 1);
    }
    if (!checkpoints.emplace(task, file).second) {
      throw UsageError(fmt::format("-w {}: {} has a checkpoint already", entry,
                                   task.empty() ? "the step" : task));
    }
  }
  return checkpoints;
}

}  // namespace

void StepsOption::add_to(CLI::App& command) {
  command
      .add_option("--steps", steps,
                  "What to do, in this order: denoise[:SIGMA] dejpeg[:QUALITY] upscale[:SCALE] "
                  "deblur derain dehaze lowlight colorize restore [:STRENGTH], with commas between")
      ->type_name("STEPS");
  command
      .add_option("-w,--weights", weights,
                  "The network of each step: denoise=CHECKPOINT; a file, or the name of one that "
                  "`mend pull` fetched; the program's own by default")
      ->allow_extra_args(false)
      ->type_name("TASK=CHECKPOINT");
}

std::vector<ChainStep> StepsOption::load() const {
  const std::vector<StepText> wanted = parse_steps(steps);
  for (const StepText& step : wanted) settings_of(step);  // mistakes show before anything is read
  const std::map<std::string, std::string> checkpoints = checkpoints_by_task(weights);
  std::map<std::string, Model> models;
  std::vector<ChainStep> chain;
  for (const StepText& step : wanted) {
    auto checkpoint = checkpoints.find(step.task);
    if (checkpoint == checkpoints.end() && wanted.size() == 1) checkpoint = checkpoints.find("");
    const TaskSettings settings = settings_of(step);
    const ModelSource given{checkpoint == checkpoints.end() ? "" : checkpoint->second, ""};
    const ModelSource source = given.or_own_weights(step.task, settings.scale);
    if (!models.contains(source.weights)) models.emplace(source.weights, source.load());
    const Model& model = models.at(source.weights);
    check_task(step.task, model);
    chain.push_back({step.task, model, restore_options(settings, model)});
  }
  for (const auto& [task, file] : checkpoints) {
    const auto is_wanted = [&](const StepText& step) { return step.task == task; };
    if (!task.empty() && std::ranges::none_of(wanted, is_wanted)) {
      throw UsageError(fmt::format("-w {}={}: --steps has no such step", task, file));
    }
    if (task.empty() && wanted.size() != 1) {
      throw UsageError(fmt::format("-w {}: say which step it is for: -w {}={}", file,
                                   wanted.front().task, file));
    }
  }
  return chain;
}

}  // namespace mend
