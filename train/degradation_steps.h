// The steps that degradation.cpp lists; each reads its parameters and returns what it does with them.
#pragma once

#include "train/degradation.h"
#include "train/step_parameters.h"

namespace mend {

// ---- noise (degrade_noise.cpp) ----

/// x + sigma/255 · N(0,1), one sigma a picture; "gray": 1 adds the same noise to all channels, and is a
/// chance if it lies between.
Degradation make_gaussian_noise(StepParameters& parameters);
/// Poisson(x · photons) / photons: `photons` are what white collects.
Degradation make_poisson_noise(StepParameters& parameters);
/// Noise of a camera before its pictures are developed: variance shot · x + read² in linear light, where
/// sRGB's curve is undone, then done again. After Brooks et al. 2019, arXiv:1811.11127, section 3.1.
Degradation make_camera_noise(StepParameters& parameters);

// ---- blur (degrade_blur.cpp) ----

/// "shape": gaussian {deviation, and ratio of the two axes}, motion {length, angle in degrees}, disc {radius: defocus},
/// sinc {cutoff: in radians a pixel}. Other angles are drawn. Beyond the border the picture is mirrored.
Degradation make_blur(StepParameters& parameters);
/// x + amount · (x − blurred), clipped to [0,1]: unsharp masking by a Gaussian of this deviation. Of targets, as
/// photographs that were made small are softer than those of a camera.
Degradation make_sharpen(StepParameters& parameters);

// ---- size (degrade_resize.cpp) ----

/// By "scale", one for both axes, with "filter": area, bilinear, bicubic (all widened against aliasing),
/// nearest, or matlab, which is imresize.h. Without it one of the first three is drawn.
Degradation make_resize(StepParameters& parameters);
/// To the size that the network is to see.
Degradation make_fit(StepParameters& parameters);

// ---- codes (degrade_code.cpp) ----

/// Through a real JPEG of this quality, its grid at a place that is drawn.
Degradation make_jpeg(StepParameters& parameters);
/// Clipped and rounded to 8 bits.
Degradation make_quantize(StepParameters& parameters);
/// BT.601 luma in all channels.
Degradation make_gray(StepParameters& parameters);

// ---- light and weather (degrade_light.cpp) ----

/// gain · x^gamma: an underexposed picture.
Degradation make_darken(StepParameters& parameters);
/// x·t + light·(1 − t), t = exp(−density · depth), over a depth that grows from the bottom of the picture
/// to its top and wanders (Koschmieder 1924, as He et al. 2009 write it).
Degradation make_haze(StepParameters& parameters);
/// Streaks of one direction, added as light: noise, thinned out and smeared along a line.
Degradation make_rain(StepParameters& parameters);

// ---- shapes (degrade_shapes.cpp) ----

/// Discs and rectangles over the picture, each of a colour or a place of it, with edges of "softness" pixels;
/// "size" is half of their longer side, small ones most often.
Degradation make_shapes(StepParameters& parameters);

// ---- marks (degrade_marks.cpp) ----

/// Scratches and dust of old prints: thin wandering lines and small spots, white or black.
Degradation make_scratches(StepParameters& parameters);
/// Lines of strokes that look like writing, "size" pixels high: a date in the corner, a caption.
Degradation make_text(StepParameters& parameters);
/// Pixels, each with this chance, become black: what is missing must be found from the rest.
Degradation make_missing_pixels(StepParameters& parameters);
/// Holes of "size" pixels a side until this part of the picture is black.
Degradation make_holes(StepParameters& parameters);

}  // namespace mend
