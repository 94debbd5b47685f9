// mend finetune: a checkpoint goes on learning, on the user's own pictures.
#include <fmt/format.h>

#include <memory>

#include "apps/json_option.h"
#include "apps/model_source.h"
#include "apps/program.h"
#include "engine/log.h"
#include "engine/parallel.h"
#include "models/registry.h"
#include "train/trainer.h"

namespace mend {
namespace {

struct FinetuneOptions {
  CommonOptions common;
  std::string checkpoint, output, task, degrade, mask;
  std::vector<std::string> pictures, held_out;
  double minutes = 5, learning_rate = 1e-4;
  int batch = 8, patch = 64;
  std::uint64_t seed = 1;
};

/// What makes a task's inputs of its targets, where the user does not say.
std::string usual_degradation(const std::string& task, int scale) {
  if (task == "upscale") {
    return fmt::format(
        R"([{{"do": "resize", "scale": {:.17g}, "filter": "matlab"}}, {{"do": "quantize"}}])",
        1.0 / scale);
  }
  if (task == "denoise") return R"([{"do": "gaussian_noise", "sigma": [0, 50]}])";
  if (task == "dejpeg") return R"([{"do": "jpeg", "quality": [10, 90]}])";
  if (task == "deblur") {
    return R"([{"do": "any", "of": [[{"do": "blur", "shape": "motion", "length": [3, 15]}],
                                    [{"do": "blur", "shape": "disc", "radius": [1, 4]}]]}])";
  }
  if (task == "lowlight") return R"([{"do": "darken", "gamma": [1.5, 3], "gain": [0.4, 1]}])";
  if (task == "dehaze") return R"([{"do": "haze", "density": [0.5, 2]}])";
  if (task == "derain") return R"([{"do": "rain", "amount": [0.005, 0.05]}])";
  if (task == "inpaint") return "[]";  // the holes are all that is wrong
  throw UsageError(fmt::format(
      "there is no usual degradation for the task '{}'; give one with --degrade", task));
}

/// What draws the holes that a network is to fill: the first four kinds of train/recipes/inpaint.json.
constexpr const char* kUsualHoles = R"([{"do": "any", "weights": [3, 3, 3, 2], "of": [
    [{"do": "scratches", "count": [1, 8], "spots": [0, 12]}],
    [{"do": "text", "lines": [1, 6], "size": [8, 32]}],
    [{"do": "holes", "share": [0.03, 0.25], "size": [1, 12]}],
    [{"do": "missing_pixels", "share": [0.05, 0.55]}]]}])";

/// Whether the training can tell the network where holes are.
bool takes_holes(const Traits& traits) {
  return traits.condition == Condition::kMaskMap || traits.condition == Condition::kMask;
}

/// Networks that want a picture, perhaps with holes, and nothing else, in [0,1].
void check_trainable(const Model& model) {
  const Traits& traits = model.traits;
  const bool plain = (traits.condition == Condition::kNone || takes_holes(traits)) &&
                     traits.black == 0 && traits.white == 1 && traits.enlarge_first == 1;
  const bool colour = traits.colour == Colour::kRgb || traits.colour == Colour::kGray;
  if (plain && colour) return;
  throw UsageError(
      fmt::format("{}: takes more than a picture in [0,1]; such networks cannot be fine-tuned yet",
                  model.description));
}

Recipe recipe_of(const FinetuneOptions& options, const Model& model) {
  const std::string task = !options.task.empty()         ? options.task
                           : !model.traits.tasks.empty() ? model.traits.tasks.front()
                                                         : "";
  const std::string degrade =
      options.degrade.empty() ? usual_degradation(task, model.traits.scale) : options.degrade;
  Recipe recipe;
  recipe.name = "finetune";
  recipe.task = task;
  recipe.start = options.checkpoint;
  recipe.seed = options.seed;
  recipe.steps = std::int64_t{1} << 40;  // minutes end it
  recipe.batch = options.batch;
  recipe.patch = options.patch;
  recipe.margin = takes_holes(model.traits) ? 0 : 8;
  recipe.scale = model.traits.scale;
  recipe.gray = model.traits.colour == Colour::kGray;
  recipe.pictures = options.pictures;
  recipe.held_out = options.held_out;
  recipe.largest_sides = {0};  // as they are: the user's pictures are what it is to learn
  recipe.degrade = parse_json_option("--degrade", degrade);
  if (takes_holes(model.traits)) {
    recipe.mask = parse_json_option("--mask", options.mask.empty() ? kUsualHoles : options.mask);
  } else if (!options.mask.empty()) {
    throw UsageError(
        fmt::format("--mask: {} fills no holes; leave the option out", model.description));
  }
  recipe.optimizer = {{"name", "adam"}, {"learning_rate", options.learning_rate}};
  recipe.schedule = {
      .kind = Schedule::Kind::kConstant, .peak = options.learning_rate, .warm_up = 20};
  recipe.average = 0.99;
  recipe.validate_every = 200;
  recipe.validate_side = 128 / recipe.scale * recipe.scale;
  recipe.checkpoint_every = 100;
  recipe.text = fmt::format("finetune {} of {}: {}{} rate {} batch {} patch {} seed {}", task,
                            options.checkpoint, degrade,
                            recipe.mask.empty() ? "" : " holes " + recipe.mask.dump(),
                            options.learning_rate, options.batch, options.patch, options.seed);
  return recipe;
}

ExitCode finetune(const FinetuneOptions& options) {
  options.common.apply(/*takes_gpu=*/true);
  Recipe recipe = recipe_of(options, [&] {
    Model model = load_model(open_checkpoint(options.checkpoint));
    check_trainable(model);
    return model;
  }());
  take_precision(recipe, options.common.precision);
  Device& device = options.common.chosen_device();
  Trainer trainer(
      recipe, options.output + ".training", [](const std::string& line) { inform(line); }, alone(),
      open_checkpoint, device, options.common.records());
  inform(fmt::format("{}: {} parameters, {} MB a step, {}, {} threads, {} minutes", recipe.task,
                     trainer.parameters(), trainer.arena_bytes() >> 20, device.name(), threads(),
                     options.minutes));
  trainer.run({}, 60 * options.minutes);
  trainer.write_model(options.output);
  inform(fmt::format("{}: after {} steps; the same line goes on from there", options.output,
                     trainer.steps_done()));
  return ExitCode::kDone;
}

}  // namespace

void add_finetune(Program& program) {
  const auto options = std::make_shared<FinetuneOptions>();
  CLI::App* command = program.add(
      "finetune", "Let a checkpoint go on learning, on your own pictures",
      "  mend finetune net.pth --images my-photos -o mine.safetensors\n"
      "  mend finetune net.pth --images my-photos --held-out others -o mine.safetensors \\\n"
      "      --degrade '[{\"do\": \"jpeg\", \"quality\": 30}, {\"do\": \"gaussian_noise\", "
      "\"sigma\": 10}]'\n"
      "  mend finetune mend:denoise --images my-photos -o mine.safetensors    the program's own\n"
      "  mend finetune net.pth --images my-photos -o mine.safetensors --device cuda    on a GPU\n"
      "  mend finetune big-lama.ckpt --images my-photos -o mine.safetensors \\\n"
      "      --mask '[{\"do\": \"scratches\", \"count\": [1, 8]}]'\n"
      "Give good pictures: bad ones are made of them by --degrade, or as the task usually does.\n"
      "Put steps there that your cameras, scanners and codes take; mend degrade --list has them.\n",
      [options] { return finetune(*options); });
  command
      ->add_option("checkpoint", options->checkpoint,
                   "The network's weights: a file, or the name of weights that the program carries "
                   "or `mend pull` fetched")
      ->required()
      ->type_name("CHECKPOINT");
  command->add_option("--images", options->pictures, "Good pictures: files and folders")
      ->required()
      ->type_name("PLACE");
  command->add_option("-o,--output", options->output, "Safetensors file of the new weights")
      ->required()
      ->type_name("FILE");
  command->add_option("--task", options->task, "What for; the network's own by default")
      ->type_name("TASK");
  command->add_option("--degrade", options->degrade, "What makes a good picture bad, as JSON steps")
      ->type_name("JSON");
  command
      ->add_option("--mask", options->mask,
                   "What draws the holes that a network is to fill, as JSON steps")
      ->type_name("JSON");
  command
      ->add_option("--held-out", options->held_out, "Pictures to measure with, not to learn from")
      ->type_name("PLACE");
  command->add_option("--minutes", options->minutes, "How long")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 1e5));
  command->add_option("--learning-rate", options->learning_rate, "Of Adam")
      ->capture_default_str()
      ->check(CLI::Range(1e-8, 1.0));
  command->add_option("--batch", options->batch, "Patches a step")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command->add_option("--patch", options->patch, "Side of a patch that the network sees, in pixels")
      ->capture_default_str()
      ->check(CLI::Range(8, 1024));
  command->add_option("--seed", options->seed, "Of the random numbers")->capture_default_str();
  options->common.add_to(*command);
}

}  // namespace mend
