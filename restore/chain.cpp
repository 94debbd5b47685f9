#include "restore/chain.h"

#include <fmt/format.h>

#include "engine/log.h"
#include "restore/colorize.h"

namespace mend {
namespace {

Image run_step(const ChainStep& step, const Image& image, const RestoreOptions& options,
               RestoreReport& report) {
  if (!step.model.traits.gives_colours()) return restore(step.model, image, options, &report);
  return colorize(step.model, image, {.run = options.tiles, .strength = options.strength});
}

}  // namespace

Image restore_in_steps(const std::vector<ChainStep>& steps, const Image& image,
                       const std::function<void(int done, int all)>& progress,
                       std::vector<RestoreReport>* reports) {
  constexpr int kParts = 1000;  // of a step's progress
  Image picture = with_bits(image, 32);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const int before = static_cast<int>(i) * kParts;
    const int total = static_cast<int>(steps.size()) * kParts;
    RestoreOptions options = steps[i].options;
    options.tiles.progress = [&](std::int64_t done, std::int64_t all) {
      if (progress) progress(before + static_cast<int>(kParts * done / all), total);
    };
    RestoreReport report;
    detail(fmt::format("step {}, {}: {}x{}", i + 1, steps[i].task, picture.width, picture.height));
    picture = run_step(steps[i], picture, options, report);
    if (reports != nullptr) reports->push_back(report);
  }
  return with_bits(picture, image.bits);
}

}  // namespace mend
