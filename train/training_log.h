// What a training writes down while it runs: rows for spreadsheets (CSV) and for programs (JSON lines).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/curve.h"
#include "train/validation.h"

namespace mend {

struct LogRow {
  std::int64_t step;
  double loss;  ///< mean since the row before
  double learning_rate;
  double gradient_norm;                           ///< mean, before clipping
  double seconds;                                 ///< a step, mean
  std::optional<double> discriminator_loss = {};  ///< of an adversarial training, mean
};

class TrainingLog {
 public:
  /// Goes on with the files in `folder`, without their rows after `step`: a resumed training writes those
  /// again. An adversarial training has a column more.
  TrainingLog(std::string folder, std::int64_t step, bool is_adversarial = false);

  /// Throw WriteError.
  void add(const LogRow& row);
  void add(std::int64_t step, const ValidationScore& score);

  /// PSNR of all validations so far.
  const std::vector<CurvePoint>& validations() const { return validations_; }

 private:
  std::string folder_;
  std::vector<CurvePoint> validations_;
};

}  // namespace mend
