// How good a network is on pictures that it was not trained on, while it is trained.
#pragma once

#include <memory>
#include <vector>

#include "models/trainable.h"
#include "train/pairs.h"

namespace mend {

struct ValidationScore {
  double psnr = 0;  ///< dB, mean over the pictures; RGB, 8 bit, the scale left out as border
  double psnr_of_input = 0;  ///< the same of what the network is given (enlarged by bicubic; gray)
};

class Validation {
 public:
  /// `count` patches of options.patch pixels, drawn once by options.seed, and degraded as in training.
  /// Scores are taken on `device`; `records`: PlanOptions::records.
  Validation(const PairSource& source, int count, int scale, Device& device, bool records);

  /// The parameters may lie on the device, or in the host's memory.
  ValidationScore score(const TrainableModel& model, const Tensors& parameters) const;
  /// Rows of input (enlarged), result and target, of the first `rows` patches.
  Image sheet(const TrainableModel& model, const Tensors& parameters, int rows) const;

 private:
  /// A target or a result of patch i in RGB or gray: a*b* get the patch's lightness.
  Tensor as_picture(const Tensor& tensor, int i) const;
  /// What the network is given of patch i, as a picture of the target's size.
  Tensor given(int i) const;
  std::vector<Tensor> results(const TrainableModel& model, const Tensors& parameters,
                              int count) const;

  Device& device_;
  bool records_;
  int scale_;
  bool colours_;
  std::vector<Tensor> inputs_, targets_;
};

}  // namespace mend
