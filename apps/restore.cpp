// mend restore: whatever is wrong with a picture, or several tasks one after the other.
#include <memory>

#include "apps/restore_files.h"
#include "apps/steps.h"
#include "restore/chain.h"

namespace mend {
namespace {

struct Options {
  CommonOptions common;
  FileOptions files;
  StepsOption steps;
};

/// "DnCNN(...), then RRDBNet(...)"
std::string networks_of(const std::vector<ChainStep>& steps) {
  std::string text;
  for (const ChainStep& step : steps) {
    text += (text.empty() ? "" : ", then ") + step.model.description;
  }
  return text;
}

ExitCode run(const Options& options) {
  options.common.apply(/*takes_gpu=*/true);
  StepsOption wanted = options.steps;
  if (wanted.steps.empty()) wanted.steps = "restore";
  const std::vector<ChainStep> chain = wanted.load();
  const Work work = {networks_of(chain), [&](const std::string&, const Image& image,
                                             const TileOptions& tiles, RestoreReport& report) {
                       std::vector<ChainStep> steps = chain;
                       for (ChainStep& step : steps) step.options.tiles = tiles;
                       std::vector<RestoreReport> reports;
                       Image result = restore_in_steps(steps, image, tiles.progress, &reports);
                       report = reports.back();
                       return result;
                     }};
  return restore_files(work, options.files, options.common);
}

}  // namespace

void add_restore(Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add(
      "restore", "Restore pictures of unknown faults, or do several tasks one after the other",
      "  mend restore photo.jpg -o better.png         noise, blur and JPEG, whatever there is\n"
      "  mend restore photo.jpg --steps denoise,upscale:2 -o large.png\n"
      "  mend restore photo.jpg --steps dejpeg,upscale -w dejpeg=fbcnn_color.pth \\\n"
      "       -w upscale=RealESRGAN_x4plus.pth -o large.png\n"
      "  mend restore scan.png --steps \"denoise:15, colorize\" -w denoise=ffdnet_gray.pth \\\n"
      "       -w colorize=ddcolor_modelscope.pth -o colour.png\n"
      "Between the steps nothing is rounded. `mend explain --steps ...` shows what it will take.\n",
      [options] { return run(*options); });
  options->files.add_to(*command);
  options->steps.add_to(*command);
  options->common.add_to(*command);
}

}  // namespace mend
