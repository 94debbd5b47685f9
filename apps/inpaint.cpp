// mend inpaint and mend outpaint: fill holes, and continue a picture beyond its borders.
#include "restore/inpaint.h"

#include <fmt/format.h>

#include <memory>

#include "apps/hole_options.h"
#include "apps/model_source.h"
#include "apps/restore_files.h"
#include "apps/task_options.h"

namespace mend {
namespace {

struct Options {
  CommonOptions common;
  ModelSource source;
  FileOptions files;
  HoleOptions holes;
  std::string extend;  ///< "LEFT,TOP,RIGHT,BOTTOM"
};

ExitCode run_inpaint(const Options& options) {
  options.common.apply();
  options.holes.check();
  const Model model = options.source.or_own_weights("inpaint").load();
  check_task("inpaint", model);
  const Work work = {model.description, [&](const std::string& input, const Image& image,
                                            const TileOptions& tiles, RestoreReport&) {
                       return inpaint(model, image, options.holes.mask_of(input, image), tiles);
                     }};
  return restore_files(work, options.files, options.common);
}

ExitCode run_outpaint(const Options& options) {
  options.common.apply();
  const std::vector<int> sides = parse_integers(options.extend, 4, "--extend");
  const Borders borders{sides[0], sides[1], sides[2], sides[3]};
  // Not the program's own for inpaint: they fill what is small.
  const Model model = options.source.or_own_weights("outpaint").load();
  check_task("inpaint", model);
  const Work work = {model.description, [&](const std::string&, const Image& image,
                                            const TileOptions& tiles, RestoreReport&) {
                       const Canvas canvas = extended_canvas(image, borders);
                       return inpaint(model, canvas.picture, canvas.mask, tiles);
                     }};
  return restore_files(work, options.files, options.common);
}

}  // namespace

void add_inpaint(Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add(
      "inpaint", "Fill holes: scratches, text, things that should not be there",
      "  mend inpaint scratched.png --mask white.png -o whole.png    what is small, with weights "
      "of its own\n"
      "  mend inpaint photo.jpg -w big-lama.ckpt --mask mask.png -o whole.png   white is filled\n"
      "  mend inpaint erased.png -w big-lama.ckpt -o whole.png       transparent is filled\n"
      "  mend inpaint photo.jpg -w big-lama.ckpt --mask-rect 40,60,200,80 --grow 4 -o whole.png\n"
      "  mend inpaint photos/ -w big-lama.ckpt --mask masks/ -o whole/\n",
      [options] { return run_inpaint(*options); });
  options->files.add_to(*command);
  options->source.add_to(*command);
  options->holes.add_to(*command);
  options->common.add_to(*command);
}

void add_outpaint(Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add("outpaint", "Continue a picture beyond its borders",
                  "  mend outpaint photo.jpg -w big-lama.ckpt --extend 64,0,64,0 -o wide.png\n",
                  [options] { return run_outpaint(*options); });
  options->files.add_to(*command);
  options->source.add_to(*command);
  command->add_option("--extend", options->extend, "Pixels to add on each side")
      ->required()
      ->type_name("LEFT,TOP,RIGHT,BOTTOM");
  options->common.add_to(*command);
}

}  // namespace mend
