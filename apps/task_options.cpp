#include "apps/task_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "engine/error.h"

namespace mend {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

int own_scale(const Traits& traits) {
  return traits.enlarge_first > 1 ? traits.enlarge_first : traits.scale;
}

void set_scale(const TaskSettings& settings, const Model& model, RestoreOptions& options) {
  if (model.traits.enlarge_first == 0) {
    options.enlarge = settings.scale == 0 ? 2 : settings.scale;
  } else if (settings.scale != 0 && settings.scale != own_scale(model.traits)) {
    throw UsageError(fmt::format("--scale {}: {} enlarges by {}", settings.scale, model.description,
                                 own_scale(model.traits)));
  }
}

void set_noise(const TaskSettings& settings, const Model& model, RestoreOptions& options) {
  const Traits& traits = model.traits;
  if (settings.sigma >= 0 && !traits.takes_sigma()) {
    throw UsageError(
        fmt::format("--sigma: {} is not told the noise level; leave it out", model.description));
  }
  options.conditions.sigma = std::max(settings.sigma, 0.0f) / 255.0f;
  // Upscaling networks are told of noise only by who knows of some.
  options.measure_noise = settings.sigma < 0 && traits.takes_sigma() && traits.scale == 1;
}

void set_quality(const TaskSettings& settings, const Model& model, RestoreOptions& options) {
  const std::string& text = settings.jpeg_quality;
  if (text == "blind") return;
  if (model.traits.condition != Condition::kQuality) {
    throw UsageError(
        fmt::format("--jpeg-quality: {} is not told the quality; leave it out", model.description));
  }
  if (text == "file") {
    options.quality_of_file = true;
    return;
  }
  options.conditions.quality =
      static_cast<float>(parse_integers(text, 1, "--jpeg-quality").front());
  if (options.conditions.quality < 1 || options.conditions.quality > 100) {
    throw UsageError(fmt::format("--jpeg-quality {}: write blind, file, or 1 to 100", text));
  }
}

}  // namespace

void add_sigma(CLI::App& command, TaskSettings& settings) {
  command
      .add_option(
          "--sigma", settings.sigma,
          "The noise's standard deviation in grey levels, 0..255, for networks that must be "
          "told; denoisers measure it by default")
      ->check(CLI::Range(0.0, 255.0));
}

void add_jpeg_quality(CLI::App& command, TaskSettings& settings) {
  command
      .add_option("--jpeg-quality", settings.jpeg_quality,
                  "For networks that may be told: blind (it finds out), file (what the file was "
                  "saved with), or 1..100")
      ->capture_default_str();
}

void check_task(const std::string& task, const Model& model) {
  const std::vector<std::string>& tasks = model.traits.tasks;
  if (std::ranges::find(tasks, task) != tasks.end()) return;
  throw UsageError(fmt::format("{} is made for {}, not for {}; use that command, or `mend run`",
                               model.description, joined(tasks), task));
}

RestoreOptions restore_options(const TaskSettings& settings, const Model& model) {
  RestoreOptions options;
  options.strength = settings.strength;
  set_scale(settings, model, options);
  set_noise(settings, model, options);
  set_quality(settings, model, options);
  return options;
}

std::vector<int> parse_integers(const std::string& text, std::size_t count,
                                const std::string& option) {
  std::vector<int> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at <= end) {
    int value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (stop != end && *stop != ',')) break;
    numbers.push_back(value);
    at = stop + 1;
  }
  if (at == end + 1 && numbers.size() == count) return numbers;
  throw UsageError(fmt::format(
      "{} {}: write {}", option, text,
      count == 1 ? "a whole number" : fmt::format("{} whole numbers with commas", count)));
}

}  // namespace mend
