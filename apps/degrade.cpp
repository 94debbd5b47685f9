// mend degrade: bad pictures made of good ones, to test with.
#include <fmt/format.h>

#include <memory>

#include "apps/inputs.h"
#include "apps/json_option.h"
#include "apps/program.h"
#include "engine/log.h"
#include "layers/functions.h"
#include "models/task.h"
#include "restore/image_file.h"
#include "train/as_image.h"
#include "train/degradation.h"
#include "train/holes.h"
#include "train/recipe.h"

namespace mend {
namespace {

struct DegradeOptions {
  std::vector<std::string> inputs;
  std::string output, steps, mask, recipe;
  std::uint64_t seed = 1;
  int scale = 1;
  bool list = false, quiet = false;
};

Json parsed(const std::string& option, const std::string& text) {
  return text.empty() ? Json::array() : parse_json_option(option, text);
}

/// What becomes of each picture.
struct Steps {
  Degradation degradation, holes;  ///< no holes: none
  int scale = 1;
};

Steps steps_of(const DegradeOptions& options) {
  Json degrade, mask;
  int scale = options.scale;
  if (options.recipe.empty()) {
    degrade = parsed("--steps", options.steps);
    mask = parsed("--mask", options.mask);
  } else {
    const Recipe recipe = read_recipe(options.recipe);
    degrade = recipe.degrade;
    mask = recipe.mask;
    scale = recipe.scale;
  }
  return {make_degradation(degrade), mask.empty() ? Degradation() : make_degradation(mask, "mask"),
          scale};
}

ExitCode list_steps() {
  for (const DegradationKind& kind : degradation_kinds()) {
    std::puts(fmt::format("{:<16} {:<52} {}", kind.name, kind.parameters, kind.what).c_str());
  }
  return ExitCode::kDone;
}

/// Holes are black and transparent, as `mend inpaint` takes them.
Image degraded(const Image& image, const Steps& steps, RandomStream& random) {
  const Tensor x = window_to_float(image, 0, 0, image.height, image.width);
  const Tensor y =
      steps.degradation(x, {random, image.height / steps.scale, image.width / steps.scale});
  if (!steps.holes) return as_image(y);
  const auto [n, h, w, c] = y.shape();
  const Tensor mask = draw_mask(steps.holes, h, w, random);
  Image result = make_image(w, h, c + 1, 8);
  store_float(result, 0, 0, slice_channels(with_mask(y, mask), 0, c));
  store_alpha_float(result, 0, 0, affine(mask, -1, 1));
  return result;
}

ExitCode degrade(const DegradeOptions& options) {
  if (options.list) return list_steps();
  if ((options.steps.empty() && options.mask.empty()) == options.recipe.empty()) {
    throw UsageError("give --steps, --mask or both, or --recipe");
  }
  if (options.inputs.empty() || options.output.empty()) {
    throw UsageError(
        "say which pictures and where to: mend degrade INPUT... -o OUTPUT --steps ...");
  }
  const Steps steps = steps_of(options);
  std::uint64_t index = 0;
  bool failed = false;
  for (const Job& job : plan_jobs(options.inputs, options.output)) {
    RandomStream random(options.seed, index++);
    try {
      if (!job.problem.empty()) throw InputError(job.problem);
      write_image(job.output, degraded(read_image(job.input), steps, random));
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
      "  mend degrade photo.png -o holed.png --mask '[{\"do\": \"text\", \"lines\": 4, \"size\": "
      "20}]'\n"
      "  mend degrade --list    all steps\n"
      "Picture k gets the random numbers of (seed, k): the same line makes the same pictures.\n",
      [options] { return degrade(*options); });
  command->add_option("input", options->inputs, "Pictures")->type_name("INPUT");
  command->add_option("-o,--output", options->output, "A file for one input, else a folder")
      ->type_name("OUTPUT");
  command->add_option("--steps", options->steps, "A list of steps as JSON")->type_name("JSON");
  command
      ->add_option("--mask", options->mask,
                   "A list of steps as JSON: what they change in a white picture becomes a "
                   "transparent hole")
      ->type_name("JSON");
  command->add_option("--recipe", options->recipe, "The steps of this recipe")->type_name("FILE");
  command->add_option("--seed", options->seed, "Of the random numbers")->capture_default_str();
  command->add_option("--scale", options->scale, "What the step \"fit\" divides the size by")
      ->capture_default_str()
      ->check(CLI::Range(1, 8));
  command->add_flag("--list", options->list, "Print the steps and their parameters");
  command->add_flag("-q,--quiet", options->quiet, "Only errors");
}

}  // namespace mend
