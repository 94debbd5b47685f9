// mend colorize: colours for gray pictures, freely or by hints.
#include "restore/colorize.h"

#include <memory>
#include <optional>

#include "apps/model_source.h"
#include "apps/restore_files.h"
#include "apps/task_options.h"

namespace mend {
namespace {

struct Options {
  CommonOptions common;
  ModelSource source;
  FileOptions files;
  std::string hints;
  float strength = 1;
};

ExitCode run(const Options& options) {
  options.common.apply();
  if (!options.hints.empty() && options.files.inputs.size() > 1) {
    throw UsageError("--hints are for one picture; several were given");
  }
  const Model model = options.source.or_own_weights("colorize").load();
  check_task("colorize", model);
  std::optional<Image> hints;
  if (!options.hints.empty()) hints = read_image(options.hints);
  const Work work = {
      model.description,
      [&](const std::string&, const Image& image, const TileOptions& tiles, RestoreReport&) {
        return colorize(
            model, image,
            {.run = tiles, .strength = options.strength, .hints = hints ? &*hints : nullptr});
      }};
  return restore_files(work, options.files, options.common);
}

}  // namespace

void add_colorize(Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add(
      "colorize", "Give colours to gray pictures; their own brightness stays",
      "  mend colorize old.jpg -w ddcolor_modelscope.pth -o colour.png\n"
      "  mend colorize old.png -w siggraph17.pth --hints dots.png -o colour.png\n"
      "dots.png has the picture's size and is transparent but for dots in the colours you want.\n",
      [options] { return run(*options); });
  options->files.add_to(*command);
  options->source.add_to(*command);
  command
      ->add_option("--hints", options->hints,
                   "A picture of the same size: opaque dots of colour on transparent ground")
      ->type_name("FILE");
  command->add_option("--strength", options->strength, "0 no colour, 1 the network's, or between")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  options->common.add_to(*command);
}

}  // namespace mend
