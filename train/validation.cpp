#include "train/validation.h"

#include <algorithm>

#include "layers/functions.h"
#include "restore/imresize.h"
#include "restore/lab.h"
#include "restore/metrics.h"
#include "train/as_image.h"
#include "train/trained_pictures.h"

namespace mend {
namespace {

double psnr_of(const Tensor& test, const Tensor& reference, int border) {
  return psnr(as_image(test), as_image(reference), {ScoredColours::kRgb, border}).value;
}

}  // namespace

Validation::Validation(const PairSource& source, int count, int scale, Device& device, bool records)
    : device_(device), records_(records), scale_(scale), colours_(source.options().colours) {
  for (int i = 0; i < count; ++i) {
    const Pairs pair = source.batch(i, 1);
    inputs_.push_back(pair.input);
    targets_.push_back(pair.target);
  }
}

std::vector<Tensor> Validation::results(const TrainableModel& model, const Tensors& parameters,
                                        int count) const {
  Tensors made = trained_pictures(model, parameters, {inputs_.begin(), inputs_.begin() + count},
                                  device_, records_);
  for (int i = 0; i < count; ++i) made[i] = as_picture(made[i], i);
  return made;
}

Tensor Validation::as_picture(const Tensor& tensor, int i) const {
  return colours_ ? lab_to_rgb(concat({inputs_[i], tensor})) : tensor;
}

Tensor Validation::given(int i) const {
  if (colours_) return as_picture(Tensor::zeros(targets_[i].shape()), i);
  const Tensor picture = slice_channels(inputs_[i], 0, targets_[i].shape().c);  // without a mask
  return scale_ > 1 ? imresize(picture, scale_) : picture;
}

ValidationScore Validation::score(const TrainableModel& model, const Tensors& parameters) const {
  const auto count = static_cast<int>(inputs_.size());
  const std::vector<Tensor> made = results(model, parameters, count);
  const int border = scale_ > 1 ? scale_ : 0;
  ValidationScore score;
  for (int i = 0; i < count; ++i) {
    const Tensor wanted = as_picture(targets_[i], i);
    score.psnr += psnr_of(made[i], wanted, border) / count;
    score.psnr_of_input += psnr_of(given(i), wanted, border) / count;
  }
  return score;
}

Image Validation::sheet(const TrainableModel& model, const Tensors& parameters, int rows) const {
  rows = std::min(rows, static_cast<int>(inputs_.size()));
  const std::vector<Tensor> made = results(model, parameters, rows);
  const Shape shape = targets_.front().shape();
  Image sheet = make_image(3 * shape.w, rows * shape.h, made.front().shape().c, 8);
  for (int i = 0; i < rows; ++i) {
    store_float(sheet, i * shape.h, 0, given(i));
    store_float(sheet, i * shape.h, shape.w, made[i]);
    store_float(sheet, i * shape.h, 2 * shape.w, as_picture(targets_[i], i));
  }
  return sheet;
}

}  // namespace mend
