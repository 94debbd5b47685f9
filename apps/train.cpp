// mend train: weights from a recipe.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "apps/device_option.h"
#include "apps/program.h"
#include "apps/replicated.h"
#include "engine/error.h"
#include "engine/log.h"
#include "engine/optional_libraries.h"
#include "engine/parallel.h"
#include "train/joined_gpus.h"
#include "train/trainer.h"

namespace mend {
namespace {

struct TrainOptions {
  CommonOptions common;
  std::string recipe, folder;
  double minutes = 0;
  std::string nccl = "auto";
};

/// "7 s", "12 min", "3.4 h"
std::string duration(double seconds) {
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  if (seconds < 6000) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

/// Says every half minute how far a training is.
class TrainingProgress {
 public:
  explicit TrainingProgress(std::int64_t first) : first_(first) {}

  void operator()(const StepReport& report) {
    mean_ = report.step == first_ + 1 ? report.loss : 0.99 * mean_ + 0.01 * report.loss;
    const auto now = Clock::now();
    if (std::chrono::duration<double>(now - told_).count() < kEvery) return;
    told_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double each = seconds / static_cast<double>(report.step - first_);
    inform(fmt::format("step {} of {}, loss {:.5f}, {:.2f} steps/s, {} left", report.step,
                       report.steps, mean_, 1 / each,
                       duration(each * static_cast<double>(report.steps - report.step))));
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr double kEvery = 30;
  std::int64_t first_;
  double mean_ = 0;
  Clock::time_point start_ = Clock::now(), told_ = start_;
};

/// Each of several processes has a GPU of its machine, in turn; of all of them with --device cuda.
Device& device_of(const CommonOptions& common, const Replicas& replicas) {
  if (replicas.size() == 1) return common.chosen_device();
  const Devices devices = devices_named(common.device == "cuda" ? "cuda:all" : common.device);
  return *devices[static_cast<std::size_t>(replicas.local_rank()) % devices.size()];
}

/// The GPUs of several processes, joined if --nccl and the machine let them be.
std::unique_ptr<GpuMean> joined(const TrainOptions& options, Replicas& replicas, Device& device) {
  if (replicas.size() == 1) return nullptr;
  JoinedGpus gpus;
  if (options.nccl == "off") {
    gpus.why_not = "--nccl off";
  } else {
    gpus = join_gpus(replicas, device);
  }
  replicas.together([&] {
    if (options.nccl != "on" || gpus.mean) return;
    throw DeviceError("--nccl on: " + gpus.why_not);
  });
  if (device.kind() == DeviceKind::kCpu) return nullptr;
  detail(fmt::format("rank {} on {}; gradients are summed {}", replicas.rank(), device.name(),
                     gpus.mean ? "by NCCL, " + describe_nccl()
                               : "through the host's memory and MPI: " + gpus.why_not));
  return std::move(gpus.mean);
}

ExitCode train(const TrainOptions& options, const std::shared_ptr<Replicas>& replicas) {
  Recipe recipe;
  replicas->together([&] {
    options.common.apply(/*takes_gpu=*/true);
    recipe = read_recipe(options.recipe);
    take_precision(recipe, options.common.precision);
  });
  const std::string folder = options.folder.empty() ? recipe.name : options.folder;
  Device& device = device_of(options.common, *replicas);
  Trainer trainer(
      recipe, folder, [](const std::string& line) { inform(line); }, replicas,
      [](const std::string& path) { return read_checkpoint(path); }, device,
      options.common.records(), joined(options, *replicas, device));
  const auto say = [&](const std::string& line) {
    if (replicas->leads()) inform(line);
  };
  const std::string processes =
      replicas->size() > 1 ? fmt::format("{} processes of ", replicas->size()) : "";
  say(fmt::format("{}: {} parameters, {} MB a step, {}, {}{} threads; step {} of {}", recipe.name,
                  trainer.parameters(), trainer.arena_bytes() >> 20, device.name(), processes,
                  threads(), trainer.steps_done(), recipe.steps));
  TrainingProgress progress(trainer.steps_done());
  trainer.run(
      [&](const StepReport& report) {
        if (replicas->leads()) progress(report);
      },
      60 * options.minutes);
  say(fmt::format("{}/model.safetensors: {} of {} steps", folder, trainer.steps_done(),
                  recipe.steps));
  return ExitCode::kDone;
}

}  // namespace

void add_train(Program& program) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* command = program.add(
      "train", "Train a network by a recipe",
      "  mend train upscale-x2.json -o runs/upscale-x2\n"
      "  mend train upscale-x2.json -o runs/upscale-x2 --minutes 30   go on for half an hour\n"
      "  mend train upscale-x2.json --device cuda     on a GPU\n"
      "  mend train upscale-x2.json --device cuda --precision bf16     with images in 16 bits\n"
      "  mpirun -np 4 mend train upscale-x2.json --device cuda     on four\n"
      "  mpirun -np 4 mend train upscale-x2.json      four processes, each a quarter of the batch\n"
      "The same line goes on from where the last one stopped, whatever stopped it. In the folder:\n"
      "model.safetensors (the averaged weights), best.safetensors, log.csv, log.jsonl,\n"
      "validation.csv, curve.png, sheet.png (input, result, target), state.safetensors.\n"
      "train/recipe.h says what a recipe holds; train/recipes has those of the default weights.\n",
      [options] {
        return run_replicated(
            [&](const std::shared_ptr<Replicas>& replicas) { return train(*options, replicas); });
      });
  command->add_option("recipe", options->recipe, "A JSON file")->required()->type_name("RECIPE");
  command->add_option("-o,--output", options->folder, "Folder of this training; the recipe's name")
      ->type_name("FOLDER");
  command->add_option("--minutes", options->minutes, "Stop after so long, to go on later")
      ->check(CLI::Range(0.0, 1e6));
  command
      ->add_option("--nccl", options->nccl,
                   "How several processes on GPUs sum gradients: auto is by NVIDIA's NCCL where it "
                   "is installed, else by MPI in the host's memory")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  options->common.add_to(*command);
}

}  // namespace mend
