#include "kernels/catalogue.h"

#include <hwy/highway.h>

#include "kernels/activation/activation.h"
#include "kernels/activation/gate.h"
#include "kernels/activation/gradient.h"
#include "kernels/attention/attention.h"
#include "kernels/channels/channels.h"
#include "kernels/channels/gradient.h"
#include "kernels/code_lookup/code_lookup.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/gradient.h"
#include "kernels/conv2d/variant.h"
#include "kernels/conv2d_pair/conv2d_pair.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/conv_transpose2d/variant.h"
#include "kernels/convert/convert.h"
#include "kernels/deform_conv2d/deform_conv2d.h"
#include "kernels/deform_conv2d/gradient.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/fft/fft.h"
#include "kernels/fft/gradient.h"
#include "kernels/fft/spectrum.h"
#include "kernels/grid_sample/gradient.h"
#include "kernels/grid_sample/grid_sample.h"
#include "kernels/inverted_residual/inverted_residual.h"
#include "kernels/matmul/matmul.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/norm_mlp/norm_mlp.h"
#include "kernels/normalization/adaptive_instance.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/global_response.h"
#include "kernels/normalization/gradient.h"
#include "kernels/normalization/normalization.h"
#include "kernels/pad/gradient.h"
#include "kernels/pad/pad.h"
#include "kernels/pixel_loss/pixel_loss.h"
#include "kernels/pixel_shuffle/pixel_shuffle.h"
#include "kernels/pool/gradient.h"
#include "kernels/pool/pool.h"
#include "kernels/quantize/quantize.h"
#include "kernels/quantized_conv2d/quantized_conv2d.h"
#include "kernels/quantized_conv2d/variant.h"
#include "kernels/rearrange/rearrange.h"
#include "kernels/resample/gradient.h"
#include "kernels/resample/resample.h"
#include "kernels/ssim/ssim.h"
#include "kernels/window_block/window_block.h"

namespace mend {
namespace {

/// What the rung was chosen for: the inputs as they were before the plan repacked the weight.
template <class Op>
Shapes before_packing(const Op&, const Shapes& in) {
  return in;
}
Shapes before_packing(const op::Conv2d& op, Shapes in) {
  in[op::Conv2d::kWeight] = {op.outputs, op.kernel_h, op.kernel_w,
                             in[op::Conv2d::kX].c / op.groups};
  return op.typical(in);
}
Shapes before_packing(const op::NormLinear& op, Shapes in) {
  in[op::NormLinear::kWeight] = {op.linear.outputs, 1, 1, in[op::NormLinear::kX].c};
  return in;
}
Shapes before_packing(const op::ConvTranspose2d& op, Shapes in) {
  if (op.variant == nullptr) return in;
  in[op::ConvTranspose2d::kWeight] = {op.outputs, op.kernel_h, op.kernel_w,
                                      in[op::ConvTranspose2d::kX].c / op.groups};
  return in;
}

/// The rung that a lowered operation is bound to; null: it chooses at each run.
template <class Op, class Kernel>
const Variant<Op, Kernel>* bound_rung(const Op& op) {
  if constexpr (requires { op.variant; }) return op.variant;
  return nullptr;
}

template <class Op, class Kernel>
LadderSummary summary(std::span<const Variant<Op, Kernel>> ladder) {
  LadderSummary summary{Op::kName, {}, {}};
  for (const auto& rung : ladder) summary.rungs.push_back(rung.name.substr(Op::kName.size() + 1));
  summary.consider = [ladder](const AnyOp& any, const Shapes& in, DeviceKind device) {
    const Op& op = *any.as<Op>();
    return consider(ladder, op, before_packing(op, in), device, bound_rung<Op, Kernel>(op));
  };
  return summary;
}

}  // namespace

const std::vector<LadderSummary>& all_ladders() {
  static const std::vector<LadderSummary> kLadders = {
      summary(activation_ladder()),
      summary(activation_gradient_ladder()),
      summary(adaptive_instance_norm_ladder()),
      summary(adaptive_pool_ladder()),
      summary(affine_ladder()),
      summary(affine_gradient_ladder()),
      summary(attention_ladder()),
      summary(batch_norm_ladder()),
      summary(batch_statistics_ladder()),
      summary(binary_ladder()),
      summary(box_mean_ladder()),
      summary(channel_attention_ladder()),
      summary(code_lookup_ladder()),
      summary(code_lookup_gradient_ladder()),
      summary(complex_multiply_ladder()),
      summary(concat_ladder()),
      summary(conv2d_ladder()),
      summary(conv2d_pair_ladder()),
      summary(conv2d_weight_gradient_ladder()),
      summary(conv_transpose2d_ladder()),
      summary(convert_ladder()),
      summary(deform_column_gradient_ladder()),
      summary(deform_conv2d_ladder()),
      summary(deform_image_gradient_ladder()),
      summary(deform_offset_gradient_ladder()),
      summary(deform_weight_gradient_ladder()),
      summary(demodulate_ladder()),
      summary(extremum_gradient_ladder()),
      summary(gate_ladder()),
      summary(gather_bias_ladder()),
      summary(global_response_norm_ladder()),
      summary(grid_sample_ladder()),
      summary(grid_sample_grid_gradient_ladder()),
      summary(grid_sample_image_gradient_ladder()),
      summary(group_norm_ladder()),
      summary(inverse_real_fft2_ladder()),
      summary(inverted_residual_ladder()),
      summary(l2_normalize_ladder()),
      summary(layer_norm_ladder()),
      summary(matmul_ladder()),
      summary(max_gradient_ladder()),
      summary(mean_gradient_ladder()),
      summary(norm_linear_ladder()),
      summary(norm_mlp_ladder()),
      summary(pad_ladder()),
      summary(pad_gradient_ladder()),
      summary(pixel_loss_gradient_ladder()),
      summary(pixel_loss_value_ladder()),
      summary(pixel_norm_ladder()),
      summary(pixel_norm_gradient_ladder()),
      summary(pixel_shuffle_ladder()),
      summary(pixel_unshuffle_ladder()),
      summary(place_channels_ladder()),
      summary(pool_ladder()),
      summary(quantize_ladder()),
      summary(quantized_conv2d_ladder()),
      summary(real_fft2_ladder()),
      summary(resample_ladder()),
      summary(resample_gradient_ladder()),
      summary(roll_ladder()),
      // No kernel, but chosen like one: whether the planner runs chains of steps depth first.
      {"row_chain",
       {"auto", "always", "never"},
       [](const AnyOp&, const Shapes&, DeviceKind) { return std::vector<ConsideredRung>(); }},
      summary(softmax_ladder()),
      summary(softmax_gradient_ladder()),
      summary(spectral_gain_ladder()),
      summary(ssim_loss_ladder()),
      summary(ssim_loss_gradient_ladder()),
      summary(sum_repeats_ladder()),
      summary(sum_to_ladder()),
      summary(transpose_ladder()),
      summary(window_attention_ladder()),
      summary(window_block_ladder()),
      summary(window_merge_ladder()),
      summary(window_partition_ladder()),
  };
  return kLadders;
}

std::vector<ConsideredRung> considered_rungs(const AnyOp& op, const Shapes& in, DeviceKind device) {
  for (const LadderSummary& ladder : all_ladders()) {
    if (ladder.op == op.name()) return ladder.consider(op, in, device);
  }
  return {};
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    names.emplace_back(hwy::TargetName(target));
  }
  return names;
}

}  // namespace mend
