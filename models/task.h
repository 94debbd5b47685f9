// What networks are for, and networks that were trained for something else than their authors did.
#pragma once

#include <string>
#include <string_view>

#include "models/architecture.h"

namespace mend {

/// Whether it is one of "upscale", "denoise", "dejpeg", "deblur", "derain", "dehaze", "lowlight",
/// "restore" (of several faults at once), "inpaint", "colorize", "face", "face detection".
bool is_task(std::string_view task);

/// Whether weights can make a network of these traits do the task: the one it is published for; any that
/// makes a picture of a picture of the same size; to upscale, if it enlarges; to inpaint, if it takes a
/// channel beside the picture's, for a mask.
bool can_do(const Traits& traits, std::string_view task);

/// What such a network with Condition::kMaskMap is given: [N,H,W,C] and its mask [N,H,W,1], 1 in holes, else
/// 0 -> [N,H,W,C+1], the picture, 0 in holes, and the mask.
Tensor with_mask(const Tensor& picture, const Tensor& mask);

/// `built` with the traits of a network for `task`, which it can do. One that takes a noise level as its
/// last channel gets the mask there to inpaint (Condition::kMaskMap), and its known pixels pass as they
/// are, as LaMa's do: a loss then counts what is in the holes and nothing else.
Built made_for(const std::string& task, Built built);

}  // namespace mend
