// mend inpaint and mend outpaint: fill holes, and continue a picture beyond its borders.
#include "restore/inpaint.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "apps/model_source.h"
#include "apps/restore_files.h"
#include "apps/task_options.h"
#include "restore/mask.h"

namespace mend {
namespace {

struct Options {
  CommonOptions common;
  ModelSource source;
  FileOptions files;
  std::string mask;  ///< a picture, or a folder of pictures with the inputs' names
  std::vector<std::string> rectangles;  ///< "X,Y,WIDTH,HEIGHT"
  bool invert = false;
  int grow = 0;
  std::string extend;  ///< "LEFT,TOP,RIGHT,BOTTOM"
};

/// The mask that --mask names for this input.
std::string mask_file(const std::string& mask, const std::string& input) {
  if (!std::filesystem::is_directory(mask)) return mask;
  const std::filesystem::path stem = std::filesystem::path(input).stem();
  for (const char* extension : {".png", ".bmp", ".pgm", ".jpg", ".jpeg"}) {
    const std::filesystem::path file = std::filesystem::path(mask) / (stem.string() + extension);
    if (std::filesystem::exists(file)) return file.string();
  }
  throw InputError(
      fmt::format("{}: {} has no mask of that name ({}.png)", input, mask, stem.string()));
}

Rectangle parse_rectangle(const std::string& text) {
  const std::vector<int> numbers = parse_integers(text, 4, "--mask-rect");
  if (numbers[2] < 1 || numbers[3] < 1) {
    throw UsageError(fmt::format("--mask-rect {}: width and height must be positive", text));
  }
  return {numbers[1], numbers[0], numbers[3], numbers[2]};
}

Image mask_of(const Options& options, const std::string& input, const Image& image) {
  Image mask = empty_mask(image.width, image.height);
  if (!options.mask.empty()) {
    add_holes(mask, mask_from_picture(read_image(mask_file(options.mask, input)), options.invert));
  } else if (options.rectangles.empty()) {
    if (is_opaque(image)) {
      throw InputError(fmt::format(
          "{}: nothing says where its holes are; give --mask FILE (white is filled), --mask-rect "
          "X,Y,WIDTH,HEIGHT, or a PNG whose holes are transparent",
          input));
    }
    add_holes(mask, mask_from_alpha(image));
  }
  for (const std::string& text : options.rectangles) add_hole(mask, parse_rectangle(text));
  return grown(mask, options.grow);
}

ExitCode run_inpaint(const Options& options) {
  options.common.apply();
  for (const std::string& text : options.rectangles) parse_rectangle(text);  // before any work
  if (options.invert && options.mask.empty()) throw UsageError("--mask-invert: there is no --mask");
  const Model model = options.source.or_own_weights("inpaint").load();
  check_task("inpaint", model);
  const Work work = {model.description, [&](const std::string& input, const Image& image,
                                            const TileOptions& tiles, RestoreReport&) {
                       return inpaint(model, image, mask_of(options, input, image), tiles);
                     }};
  return restore_files(work, options.files, options.common);
}

ExitCode run_outpaint(const Options& options) {
  options.common.apply();
  const std::vector<int> sides = parse_integers(options.extend, 4, "--extend");
  const Borders borders{sides[0], sides[1], sides[2], sides[3]};
  const Model model = options.source.or_own_weights("inpaint").load();
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
      "  mend inpaint photo.jpg --mask mask.png -o whole.png         white is filled\n"
      "  mend inpaint photo.jpg -w big-lama.ckpt --mask mask.png -o whole.png\n"
      "  mend inpaint erased.png -w big-lama.ckpt -o whole.png       transparent is filled\n"
      "  mend inpaint photo.jpg -w big-lama.ckpt --mask-rect 40,60,200,80 --grow 4 -o whole.png\n"
      "  mend inpaint photos/ -w big-lama.ckpt --mask masks/ -o whole/\n",
      [options] { return run_inpaint(*options); });
  options->files.add_to(*command);
  options->source.add_to(*command);
  command
      ->add_option("--mask", options->mask,
                   "A picture of the same size, white where it is to be filled, or a folder of "
                   "such with the inputs' names")
      ->type_name("FILE");
  command
      ->add_option("--mask-rect", options->rectangles, "A rectangle to fill, in pixels; repeatable")
      ->allow_extra_args(false)
      ->type_name("X,Y,WIDTH,HEIGHT");
  command->add_flag("--mask-invert", options->invert, "Black is filled, white stays");
  command->add_option("--grow", options->grow, "Make holes wider by as many pixels on each side")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
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
