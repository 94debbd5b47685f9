#include <algorithm>
#include <cstddef>
#include <vector>

#include "kernels/ssim/ssim.h"
#include "restore/similarity.h"
#include "train/loss_sums.h"
#include "train/losses.h"
#include "train/traced_losses.h"

namespace mend {
namespace {

SsimTaps gaussian_taps() {
  SsimTaps taps;
  std::ranges::copy(gaussian_window().taps, taps.weights);
  return taps;
}

}  // namespace

Loss ssim_loss(const Tensor& x, const Tensor& target) {
  check_shapes("ssim_loss", x, target);
  const op::SsimLossGradient op{gaussian_taps()};
  const Tensor gradient = Tensor::empty(op.shape({x.shape(), target.shape()}));
  std::vector<std::byte> scratch(static_cast<std::size_t>(ssim_loss_scratch(x.shape())));
  const double value = ssim_loss(op.taps, x.view<const float>(), target.view<const float>(),
                                 gradient.view<float>(), scratch);
  return {value, gradient};
}

Tensor traced_ssim(const Tensor& x, const Tensor& target) {
  return apply(op::SsimLoss{gaussian_taps()}, {x, target});
}

}  // namespace mend
