// mend evaluate: how much a network restores of what it is known to have lost.
//
//   good picture ── degrade ── network ── result
//        └─────────────┴── metrics ─────────┘      of what it was given, and of what it made
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "apps/compare_metrics.h"
#include "apps/inputs.h"
#include "apps/json_option.h"
#include "apps/model_source.h"
#include "apps/program.h"
#include "apps/task_options.h"
#include "engine/log.h"
#include "restore/chain.h"
#include "restore/image_file.h"
#include "train/degradation.h"
#include "train/recipe.h"

namespace mend {
namespace {

struct EvaluateOptions {
  CommonOptions common;
  ModelSource source;
  MetricOptions metrics;
  std::vector<std::string> inputs;
  std::string task, degrade, recipe;
  TaskSettings settings;
  std::uint64_t seed = 1;
};

Json steps_of(const EvaluateOptions& options) {
  if (options.degrade.empty() == options.recipe.empty()) {
    throw UsageError("say how pictures become bad: --degrade JSON or --recipe FILE, one of them");
  }
  if (!options.recipe.empty()) return read_recipe(options.recipe).degrade;
  return parse_json_option("--degrade", options.degrade);
}

/// The top left part of a picture whose sides are multiples of `scale`, without alpha: what tables compare with.
Image reference_of(const std::string& path, int scale) {
  const Image image = read_image(path);
  const int width = image.width / scale * scale, height = image.height / scale * scale;
  if (width == 0 || height == 0) {
    throw InputError(
        fmt::format("{}: {}x{} is too small for x{}", path, image.width, image.height, scale));
  }
  Image part = make_image(width, height, image.colour_channels(), image.bits);
  store_float(part, 0, 0, window_to_float(image, 0, 0, height, width));
  return part;
}

/// In f32: clipped and rounded only if a step says so.
Image degraded(const Image& reference, const Degradation& degradation, RandomStream& random,
               int scale) {
  const int width = reference.width, height = reference.height;
  const Tensor x = window_to_float(reference, 0, 0, height, width);
  const Tensor y = degradation(x, {random, height / scale, width / scale});
  Image image = make_image(y.shape().w, y.shape().h, y.shape().c, 32);
  store_float(image, 0, 0, y);
  return image;
}

/// Scores before and after, and their sums over the pictures.
class Table {
 public:
  explicit Table(bool json) : json_(json) {}

  /// `before` is empty where the network changes the size.
  void add(const std::string& picture, const std::vector<NamedScore>& before,
           const std::vector<NamedScore>& after) {
    if (sums_.empty()) sums_ = std::vector<Row>(after.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      Row row{after[i], before.empty() ? 0 : before[i].score.value, !before.empty()};
      print(picture, row);
      sums_[i].has_before = row.has_before;
      sums_[i].before += row.before;
      row.after.score.value += sums_[i].after.score.value;
      sums_[i].after = row.after;
    }
    ++pictures_;
  }
  void print_means() const {
    for (Row row : sums_) {
      row.before /= pictures_;
      row.after.score.value /= pictures_;
      print(fmt::format("mean of {}", pictures_), row);
    }
  }
  int pictures() const { return pictures_; }

 private:
  struct Row {
    NamedScore after = {};
    double before = 0;
    bool has_before = false;
  };

  void print(const std::string& picture, const Row& row) const {
    const double value = row.after.score.value;
    if (json_) {
      Json line = {{"of", picture}, {"metric", row.after.name}, {"value", value}};
      if (row.has_before) line["input"] = row.before;
      line["protocol"] = row.after.score.protocol;
      std::puts(line.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
      return;
    }
    const std::string before =
        row.has_before ? fmt::format("{:>9.4f} -> ", row.before) : std::string();
    std::puts(fmt::format("{:<8} {}{:>9.4f}   {}   {}", row.after.name, before, value,
                          row.after.score.protocol, picture)
                  .c_str());
  }

  bool json_;
  std::vector<Row> sums_;
  int pictures_ = 0;
};

void evaluate_picture(const EvaluateOptions& options, const ChainStep& step,
                      const Degradation& degradation, const std::string& picture,
                      RandomStream& random, Table& table) {
  const int scale = output_scale(step.model, step.options);
  const Image reference = reference_of(picture, scale);
  const Image input = degraded(reference, degradation, random, scale);
  if (input.width * scale != reference.width || input.height * scale != reference.height) {
    throw UsageError(fmt::format("the steps end at {}x{}, but the network is to see {}x{}",
                                 input.width, input.height, reference.width / scale,
                                 reference.height / scale));
  }
  const Image result = with_bits(restore_in_steps({step}, input), reference.bits);
  const auto scores = [&](const Image& image) {
    return scores_of(options.metrics, MetricWeights(), image, &reference);
  };
  const bool same_size = input.width == reference.width && input.height == reference.height;
  table.add(picture,
            same_size ? scores(with_bits(input, reference.bits)) : std::vector<NamedScore>(),
            scores(result));
}

ExitCode evaluate(const EvaluateOptions& options) {
  options.common.apply();
  for (const std::string& name : options.metrics.names) {
    if (name == "niqe" || name == "lpips") {
      throw UsageError(
          fmt::format("--metric {}: it needs weights of its own; use mend compare", name));
    }
  }
  const Degradation degradation = make_degradation(steps_of(options));
  const Model model = options.source.or_own_weights(options.task, options.settings.scale).load();
  check_task(options.task, model);
  ChainStep step{options.task, model, restore_options(options.settings, model)};
  step.options.tiles = options.common.tiles();
  Table table(options.common.json);
  std::uint64_t index = 0;
  bool failed = false;
  for (const Job& job : jobs_of(options.inputs)) {
    RandomStream random(options.seed, index++);
    try {
      if (!job.problem.empty()) throw InputError(job.problem);
      evaluate_picture(options, step, degradation, job.input, random, table);
    } catch (const InputError& error) {
      report_error(error.what());
      failed = true;
    }
  }
  if (table.pictures() > 1) table.print_means();
  return failed ? ExitCode::kSomeFailed : ExitCode::kDone;
}

}  // namespace

void add_evaluate(Program& program) {
  const auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = program.add(
      "evaluate", "Make pictures bad, restore them, and measure what came back",
      "  mend evaluate Kodak24/ --task denoise --degrade '[{\"do\": \"gaussian_noise\", "
      "\"sigma\": 25}]'\n"
      "  mend evaluate Set14/ --task upscale --scale 2 --luma --border 2 \\\n"
      "      --degrade '[{\"do\": \"resize\", \"scale\": 0.5, \"filter\": \"matlab\"}]'\n"
      "  mend evaluate photos/ --task restore -w mine.safetensors --recipe mine.json\n"
      "Picture k gets the random numbers of (seed, k). The network sees what the last step "
      "leaves,\n"
      "neither clipped nor rounded; end with {\"do\": \"quantize\"} for 8 bits.\n",
      [options] { return evaluate(*options); });
  command->add_option("input", options->inputs, "Good pictures: files and folders")
      ->required()
      ->type_name("INPUT");
  command->add_option("--task", options->task, "What the network is to do")
      ->required()
      ->check(CLI::IsMember({"upscale", "denoise", "dejpeg", "deblur", "derain", "dehaze",
                             "lowlight", "colorize", "restore"}));
  command->add_option("--degrade", options->degrade, "What makes a good picture bad, as JSON steps")
      ->type_name("JSON");
  command->add_option("--recipe", options->recipe, "The steps of this recipe")->type_name("FILE");
  command->add_option("--seed", options->seed, "Of the random numbers")->capture_default_str();
  command
      ->add_option("-s,--scale", options->settings.scale,
                   "Of upscaling: the network's own by default")
      ->check(CLI::Range(1, 8));
  add_sigma(*command, options->settings);
  options->source.add_to(*command);
  options->metrics.add_names_to(*command);
  options->common.add_to(*command);
}

}  // namespace mend
