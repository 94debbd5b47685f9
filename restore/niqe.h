// NIQE: how far the statistics of a picture are from those of pristine photographs. Needs no
// reference, but a model of such photographs.
//
//   NIQE = sqrt((ν1 - ν2)ᵀ ((Σ1 + Σ2)/2)⁺ (ν1 - ν2))
//
// ν2, Σ2: mean and covariance of the features of the picture's blocks (restore/niqe_features.h);
// ν1, Σ1: those of the sharp blocks of photographs, the model. Mittal, Soundararajan, Bovik 2013,
// Making a "Completely Blind" Image Quality Analyzer, eq. 10. About 3 for good photographs with the
// released model; lower is better. Numbers by different models cannot be compared.
#pragma once

#include <string>
#include <vector>

#include "restore/metrics.h"
#include "restore/niqe_features.h"
#include "weights/checkpoint.h"

namespace mend {

struct NiqeModel {
  std::string name;  ///< how the protocol calls it
  NiqeFeatures mean;
  std::vector<double> covariance;  ///< 36 x 36, in rows
};

/// Whether the checkpoint has `mu_pris_param`, BasicSR's name for the mean.
bool has_niqe_model(const Checkpoint& checkpoint);

/// From `mu_pris_param` (36 elements) and `cov_pris_param` [36,36]; the released model is there as
/// BasicSR's niqe_pris_params. Named as the file. Throws CheckpointError.
NiqeModel niqe_model_of(const Checkpoint& checkpoint);

/// Writes a safetensors file, in f64, that niqe_model_of takes. Throws WriteError.
void write_niqe_model(const std::string& path, const NiqeModel& model);

/// Blocks of `picture` that are sharp enough for a model: those with all features whose sharpness is
/// above 0.75 of its sharpest block's, as in the released estimation code.
std::vector<NiqeFeatures> pristine_blocks(const Image& picture);

/// Mean and covariance of such blocks of many photographs. Throws InputError if there are fewer than
/// 37: the covariance of 36 features needs more; the paper has 125 photographs.
NiqeModel fit_niqe_model(const std::vector<NiqeFeatures>& blocks, const std::string& name);

/// `border` pixels on every side are left out. Throws ShapeError if the picture has fewer
/// than two whole blocks with texture.
Score niqe(const Image& picture, const NiqeModel& model, int border = 0);

}  // namespace mend
