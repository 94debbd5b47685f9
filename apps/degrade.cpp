// mend degrade: bad pictures made of good ones, to test with.
#include <fmt/format.h>

#include <memory>

#include "apps/inputs.h"
#include "apps/program.h"
#include "engine/log.h"
#include "restore/image_file.h"
#include "train/as_image.h"
#include "train/degradation.h"
#include "train/recipe.h"

namespace mend {
namespace {

struct DegradeOptions {
  std::vector<std::string> inputs;
  std::string output, steps, recipe;
  std::uint64_t seed = 1;
  int scale = 1;
  bool list = false, quiet = false;
};

Json steps_of(const DegradeOptions& options) {
  if (!options.recipe.empty()) return read_recipe(options.recipe).degrade;
  try {
    return Json::parse(options.steps);
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(fmt::format("--steps is no JSON: {}", error.what()));
  }
}

ExitCode list_steps() {
  for (const DegradationKind& kind : degradation_kinds()) {
    std::puts(fmt::format("{:<16} {:<52} {}", kind.name, kind.parameters, kind.what).c_str());
  }
  return ExitCode::kDone;
}

Image degraded(const Image& image, const Degradation& degradation, RandomStream& random,
               int scale) {
  const Tensor x = window_to_float(image, 0, 0, image.height, image.width);
  const Tensor y = degradation(x, {random, image.height / scale, image.width / scale});
  return as_image(y);
}

ExitCode degrade(const DegradeOptions& options) {
  if (options.list) return list_steps();
  if (options.steps.empty() == options.recipe.empty()) {
    throw UsageError("give --steps or --recipe, one of them");
  }
  if (options.inputs.empty() || options.output.empty()) {
    throw UsageError(
        "say which pictures and where to: mend degrade INPUT... -o OUTPUT --steps ...");
  }
  const Degradation degradation = make_degradation(steps_of(options));
  const int scale = options.recipe.empty() ? options.scale : read_recipe(options.recipe).scale;
  std::uint64_t index = 0;
  bool failed = false;
  for (const Job& job : plan_jobs(options.inputs, options.output)) {
    RandomStream random(options.seed, index++);
    try {
      if (!job.problem.empty()) throw InputError(job.problem);
      write_image(job.output, degraded(read_image(job.input), degradation, random, scale));
      if (!options.quiet) inform(fmt::format("{} -> {}", job.input, job.output));
    } catch (const InputError& error) {
      report_error(error.what());
      failed = true;
    }
  }
  return failed ? ExitCode::kSomeFailed : ExitCode::kDone;
}

}  // namespace

void add_degrade(Program& program) {
  const auto options = std::make_shared<DegradeOptions>();
  CLI::App* command = program.add(
      "degrade", "Make bad pictures of good ones, to test with",
      "  mend degrade photo.png -o bad.png --steps '[{\"do\": \"gaussian_noise\", \"sigma\": "
      "25}]'\n"
      "  mend degrade *.png -o small --recipe train/recipes/upscale-x2.json\n"
      "  mend degrade --list    all steps\n"
      "Picture k gets the random numbers of (seed, k): the same line makes the same pictures.\n",
      [options] { return degrade(*options); });
  command->add_option("input", options->inputs, "Pictures")->type_name("INPUT");
  command->add_option("-o,--output", options->output, "A file for one input, else a folder")
      ->type_name("OUTPUT");
  command->add_option("--steps", options->steps, "A list of steps as JSON")->type_name("JSON");
  command->add_option("--recipe", options->recipe, "The steps of this recipe")->type_name("FILE");
  command->add_option("--seed", options->seed, "Of the random numbers")->capture_default_str();
  command->add_option("--scale", options->scale, "What the step \"fit\" divides the size by")
      ->capture_default_str()
      ->check(CLI::Range(1, 8));
  command->add_flag("--list", options->list, "Print the steps and their parameters");
  command->add_flag("-q,--quiet", options->quiet, "Only errors");
}

}  // namespace mend
