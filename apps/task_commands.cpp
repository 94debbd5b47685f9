// upscale, denoise, dejpeg, lowlight, deblur, derain, dehaze: the same run over files, each with the
// options that its networks understand.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/model_source.h"
#include "apps/restore_files.h"

namespace mend {
namespace {

struct Task {
  const char* name;
  const char* description;
  const char* examples;
  bool has_scale, has_sigma;
};

// clang-format off
constexpr Task kTasks[] = {
    {"upscale", "Enlarge pictures",
     "  mend upscale photo.jpg -w RealESRGAN_x4plus.pth -o large.png\n"
     "  mend upscale holiday/ -w realesr-general-x4v3.pth -o large/ --memory 2G\n"
     "  mend upscale photo.png -w vdsr.safetensors --scale 3 -o photo_x3.png\n", true, true},
    {"denoise", "Remove noise",
     "  mend denoise photo.png -w ffdnet_color.pth --sigma 25 -o clean.png\n"
     "  mend denoise scan.png -w dncnn_25.pth -o clean.png --strength 0.7\n", false, true},
    {"dejpeg", "Remove the blocks and rings of JPEG compression",
     "  mend dejpeg photo.jpg -w dncnn3.pth -o clean.png\n", false, false},
    {"lowlight", "Brighten pictures taken in the dark",
     "  mend lowlight night.jpg -w zero_dce.pth -o day.png\n", false, false},
    {"deblur", "Sharpen pictures that motion or focus blurred",
     "  mend deblur shaken.jpg -w NAFNet-GoPro-width32.pth -o sharp.png\n", false, false},
    {"derain", "Remove rain",
     "  mend derain street.png -w prenet.pth -o dry.png\n", false, false},
    {"dehaze", "Remove haze",
     "  mend dehaze valley.jpg -w aod_net.pth -o clear.png\n", false, false},
};
// clang-format on

struct TaskOptions {
  CommonOptions common;
  ModelSource source;
  FileOptions files;
  int scale = 0;
  float sigma = -1;
  float strength = 1;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void check_task(const Task& task, const Model& model) {
  const std::vector<std::string>& tasks = model.traits.tasks;
  if (std::find(tasks.begin(), tasks.end(), task.name) != tasks.end()) return;
  throw UsageError(fmt::format("{} is made for {}, not for {}; use that command, or `mend run`",
                               model.description, joined(tasks), task.name));
}

RestoreOptions restore_options(const TaskOptions& given, const Model& model) {
  RestoreOptions options;
  options.tiles = given.common.tiles();
  options.strength = given.strength;
  const Traits& traits = model.traits;
  const int own_scale = traits.enlarge_first > 1 ? traits.enlarge_first : traits.scale;
  if (traits.enlarge_first == 0) {
    options.enlarge = given.scale == 0 ? 2 : given.scale;
  } else if (given.scale != 0 && given.scale != own_scale) {
    throw UsageError(
        fmt::format("--scale {}: {} enlarges by {}", given.scale, model.description, own_scale));
  }
  const bool takes_sigma = traits.condition == Condition::kSigma ||
                           traits.condition == Condition::kSigmaMap ||
                           traits.condition == Condition::kBlurAndSigmaMap;
  if (given.sigma >= 0 && !takes_sigma) {
    throw UsageError(
        fmt::format("--sigma: {} is not told the noise level; leave it out", model.description));
  }
  const bool needs_sigma = takes_sigma && traits.scale == 1;
  if (given.sigma < 0 && needs_sigma) {
    throw UsageError(
        fmt::format("{} must be told the noise's standard deviation: --sigma 15 for a little "
                    "noise, 50 for much",
                    model.description));
  }
  options.conditions.sigma = std::max(given.sigma, 0.0f) / 255.0f;
  return options;
}

}  // namespace

void add_task_commands(Program& program) {
  for (const Task& task : kTasks) {
    const auto options = std::make_shared<TaskOptions>();
    CLI::App* command = program.add(task.name, task.description, task.examples, [options, &task] {
      options->common.apply();
      const Model model = options->source.load();
      check_task(task, model);
      return restore_files(model, options->files, options->common,
                           restore_options(*options, model));
    });
    options->files.add_to(*command);
    options->source.add_to(*command);
    if (task.has_scale) {
      command->add_option("-s,--scale", options->scale, "Output pixels per input pixel")
          ->check(CLI::Range(1, 8));
    } else {
      command->add_option("--strength", options->strength, "0 keeps the picture, 1 the full effect")
          ->capture_default_str()
          ->check(CLI::Range(0.0, 1.0));
    }
    if (task.has_sigma) {
      command
          ->add_option("--sigma", options->sigma,
                       "The noise's standard deviation in grey levels, 0..255")
          ->check(CLI::Range(0.0, 255.0));
    }
    options->common.add_to(*command);
  }
}

}  // namespace mend
