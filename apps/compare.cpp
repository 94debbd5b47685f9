// mend compare: how far two pictures are from each other.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/program.h"
#include "restore/image_file.h"
#include "restore/imresize.h"
#include "restore/metrics.h"
#include "restore/side_by_side.h"

namespace mend {
namespace {

struct CompareOptions {
  std::string test, reference, picture;
  int border = 0;
  bool luma = false, enlarge = false, json = false;
};

void print(const std::string& name, const Score& score, bool json) {
  if (json) {
    const nlohmann::json line = {
        {"metric", name}, {"value", score.value}, {"protocol", score.protocol}};
    std::puts(line.dump().c_str());
  } else {
    std::puts(fmt::format("{:<7} {:>9.4f}   {}", name, score.value, score.protocol).c_str());
  }
}

/// `test` at the size of `reference`, which must be a whole multiple of it.
Image enlarged(const Image& test, const Image& reference) {
  if (reference.width % test.width != 0 || reference.height % test.height != 0) {
    throw ShapeError(fmt::format("--enlarge: {}x{} is no multiple of {}x{}", reference.width,
                                 reference.height, test.width, test.height));
  }
  return imresize(test, reference.height, reference.width);
}

ExitCode compare(const CompareOptions& options) {
  Image test = read_image(options.test);
  const Image reference = read_image(options.reference);
  if (options.enlarge) test = enlarged(test, reference);
  if (!options.picture.empty()) write_image(options.picture, side_by_side(test, reference));
  const Protocol protocol{options.luma ? ScoredColours::kY : ScoredColours::kRgb, options.border};
  print("PSNR", psnr(test, reference, protocol), options.json);
  print("SSIM", ssim(test, reference, protocol), options.json);
  if (options.luma || (test.colour_channels() == 1 && reference.colour_channels() == 1)) {
    print("PSNR-B", psnr_b(test, reference, protocol), options.json);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_compare(Program& program) {
  const auto options = std::make_shared<CompareOptions>();
  CLI::App* command = program.add("compare", "Measure how far a picture is from its reference",
                                  "  mend compare result.png original.png\n"
                                  "  mend compare x4.png original.png --luma --border 4\n"
                                  "Super-resolution tables use --luma and --border SCALE.\n",
                                  [options] { return compare(*options); });
  command->add_option("test", options->test, "The picture to judge")->required();
  command->add_option("reference", options->reference, "What it should be")->required();
  command->add_option("--border", options->border, "Pixels to leave out on every side")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  command->add_flag("--enlarge", options->enlarge,
                    "Enlarge the first picture by bicubic to the size of the second");
  command->add_option("--picture", options->picture, "Write both and their difference side by side")
      ->type_name("FILE");
  command->add_flag("--luma", options->luma, "Compare BT.601 luma instead of all colours");
  command->add_flag("--json", options->json, "Print JSON, a line each");
}

}  // namespace mend
