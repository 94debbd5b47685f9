#include "models/task.h"

#include <algorithm>
#include <utility>

#include "layers/functions.h"

namespace mend {
namespace {

/// A picture in, the same picture without the fault out: what the fault is, the weights alone decide.
constexpr std::string_view kRepairs[] = {"denoise", "dejpeg",   "deblur", "derain",
                                         "dehaze",  "lowlight", "restore"};
constexpr std::string_view kOthers[] = {"upscale", "inpaint", "colorize", "face", "face detection"};

bool is_repair(std::string_view task) {
  return std::ranges::find(kRepairs, task) != std::end(kRepairs);
}

/// Known pixels as they are, those in holes as `fill` gives them. Inputs: a picture and its mask, side by
/// side.
Network keeping_known(const Network& fill, int channels) {
  return [fill, channels](const std::vector<Tensor>& inputs) {
    const Tensor picture = slice_channels(inputs[0], 0, channels);
    const Tensor mask = slice_channels(inputs[0], channels, 1);
    return std::vector<Tensor>{mask * fill(inputs).front() + affine(mask, -1, 1) * picture};
  };
}

}  // namespace

bool is_task(std::string_view task) {
  return is_repair(task) || std::ranges::find(kOthers, task) != std::end(kOthers);
}

bool can_do(const Traits& traits, std::string_view task) {
  if (std::ranges::find(traits.tasks, task) != traits.tasks.end()) return true;
  if (task == "upscale") return traits.scale > 1 || traits.enlarge_first != 1;
  if (traits.scale != 1 || traits.enlarge_first != 1) return false;
  if (task == "inpaint") return traits.condition == Condition::kSigmaMap;
  return is_repair(task) && std::ranges::all_of(traits.tasks, is_repair);
}

Tensor with_mask(const Tensor& picture, const Tensor& mask) {
  return concat({picture * affine(mask, -1, 1), mask});
}

Built made_for(const std::string& task, Built built) {
  Traits& traits = built.traits;
  traits.tasks = {task};
  if (task != "inpaint" || traits.condition != Condition::kSigmaMap) return built;
  traits.condition = Condition::kMaskMap;
  built.forward = keeping_known(built.forward, traits.picture_channels());
  if (built.local.forward) {
    built.local.forward = keeping_known(built.local.forward, traits.picture_channels());
  }
  return built;
}

}  // namespace mend
