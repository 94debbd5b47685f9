// mend adapt: restore one picture by what it shows itself.
#include "train/adapt.h"

#include <fmt/format.h>

#include <memory>

#include "apps/hole_options.h"
#include "apps/progress.h"
#include "apps/restore_files.h"
#include "engine/log.h"

namespace mend {
namespace {

struct Options {
  CommonOptions common;
  FileOptions files;
  HoleOptions holes;
  std::string task;
  int scale = 2;
  double minutes = 3;
  std::int64_t steps = 1'000'000;
  std::uint64_t seed = 1;
};

Adapted adapted(const Options& options, const std::string& input, const Image& image,
                const AdaptOptions& adapt) {
  if (options.task == "inpaint")
    return adapt_inpaint(image, options.holes.mask_of(input, image), adapt);
  if (options.task == "denoise") return adapt_denoise(image, adapt);
  return adapt_upscale(image, options.scale, adapt);
}

Image adapt(const Options& options, const std::string& input, const Image& image,
            const TileOptions& tiles) {
  AdaptOptions adapt;
  adapt.seconds = 60 * options.minutes;
  adapt.most_steps = options.steps;
  adapt.seed = options.seed;
  adapt.tiles = tiles;
  Progress progress(fmt::format("{}: learning", input));
  adapt.progress = [&](const AdaptProgress& now) {
    progress.update(static_cast<int>(10 * now.seconds), static_cast<int>(10 * adapt.seconds));
    detail(fmt::format("{}: step {}, {:.2f} dB on held-out pixels, best {:.2f}, {:.0f} s", input,
                       now.steps, now.psnr, now.best_psnr, now.seconds));
  };
  Adapted result = adapted(options, input, image, adapt);
  progress.hide();
  inform(fmt::format(
      "{}: {} steps in {:.0f} s, {:.2f} dB on held-out pixels; stopped {}", input,
      result.learned.steps, result.learned.seconds, result.learned.best_psnr,
      result.stopped_early ? "because nothing more was gained" : "by --minutes or --steps"));
  return std::move(result.image);
}

ExitCode run(const Options& options) {
  options.common.apply(/*takes_gpu=*/true);
  if (options.task == "inpaint") options.holes.check();
  const Work work = {"a network of its own",
                     [&](const std::string& input, const Image& image, const TileOptions& tiles,
                         RestoreReport&) { return adapt(options, input, image, tiles); }};
  return restore_files(work, options.files, options.common);
}

}  // namespace

void add_adapt(Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add(
      "adapt", "Restore a picture by what it shows itself: no weights, no other pictures",
      "  mend adapt scan.png --task inpaint --mask scratches.png -o whole.png\n"
      "  mend adapt microscope.png --task denoise -o clean.png --minutes 5\n"
      "  mend adapt photo.png --task upscale --scale 3 -o large.png\n"
      "  mend adapt photo.png --task denoise -o clean.png --device cuda     on a GPU\n"
      "A small network learns from the picture for minutes, until pixels that were held out get "
      "no\n"
      "better. The seed decides the result, on any number of threads, unless the minutes run "
      "out.\n",
      [options] { return run(*options); });
  options->files.add_to(*command);
  command->add_option("--task", options->task, "inpaint, denoise or upscale")
      ->required()
      ->check(CLI::IsMember({"inpaint", "denoise", "upscale"}));
  options->holes.add_to(*command);
  command->add_option("-s,--scale", options->scale, "Of upscale")
      ->capture_default_str()
      ->check(CLI::Range(2, 4));
  command->add_option("--minutes", options->minutes, "How long at most, for each picture")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 1e4));
  command->add_option("--steps", options->steps, "Of learning at most, for each picture")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000'000));
  command->add_option("--seed", options->seed, "Of the random numbers")->capture_default_str();
  options->common.add_to(*command);
}

}  // namespace mend
