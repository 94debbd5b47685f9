// LPIPS: how different two pictures look, by features of a network for classification (Zhang et al.
// 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, eq. 1), 0 for equal
// pictures; lower is better. Needs the weights of models/lpips.h.
//
//   LPIPS = Σ_stages mean_pixels Σ_c w_c (f_c/(|f| + 1e-10) - g_c/(|g| + 1e-10))²
//
// f, g: a stage's features of both pictures; version 0.1: whole pictures, RGB from 0..255 to [-1,1].
// Tables take AlexNet unless they say VGG.
#pragma once

#include "models/lpips.h"
#include "restore/metrics.h"

namespace mend {

/// Gray pictures count as neutral colours; 16 bits are rounded to 8. `border` pixels on every side
/// are left out. Throws ShapeError if the pictures differ in size or are too small for the network.
Score lpips(const Image& test, const Image& reference, const LpipsNetwork& network, int border = 0);

}  // namespace mend
