// Normalizations, and what else is bound by memory: layers of networks that restore, and of their trainings.
#include <fmt/format.h>

#include "bench/gpu/times.h"
#include "bench/one_op.h"
#include "engine/gpu.h"
#include "kernels/normalization/adaptive_instance.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/global_response.h"
#include "kernels/normalization/gradient.h"
#include "kernels/normalization/normalization.h"
#include "kernels/pool/gradient.h"
#include "kernels/rearrange/rearrange.h"

namespace mend {
namespace {

/// `op` by the rung that is chosen.
void time_op(const std::string& word, const AnyOp& op, const std::string& label, const Shapes& in) {
  const std::string name = fmt::format("{}/{}/{}", op.name(), label, to_string(in[0]));
  if (name.find(word) == std::string::npos) return;
  Tensors inputs;
  for (const Shape& shape : in) inputs.push_back(bench::wave(shape).on(gpu(0)));
  const Tensor y = mend::apply(op, Inputs(inputs));
  report(name, seconds_of([&] { op.forward(inputs, y, {}); }), op.cost(in));
}

}  // namespace

void time_normalizations(const std::string& word) {
  for (const Shape& x : {Shape{1, 256, 256, 48}, Shape{1, 64, 64, 180}, Shape{1, 32, 32, 384},
                         Shape{16, 48, 48, 48}}) {
    const Shape each = vector_shape(x.c);
    time_op(word, op::LayerNorm{}, "affine", {x, each, each});
    time_op(word, op::PixelNormGradient{}, "affine", {x, x, each});
  }
  const Shape x{1, 256, 256, 64}, batch{16, 48, 48, 64}, each = vector_shape(64);
  time_op(word, op::Softmax{}, "", {x});
  time_op(word, op::Softmax{}, "", {{1, 16, 64, 1024}});
  time_op(word, op::Softmax{}, "", {{1, 16, 64, 4096}});
  time_op(word, op::SoftmaxGradient{}, "", {x, x});
  for (const Shape& image : {x, batch, Shape{1, 64, 64, 256}}) {
    const Shape vector = vector_shape(image.c);
    time_op(word, op::GroupNorm{.groups = 32}, "32 groups", {image, vector, vector});
    time_op(word, op::GroupNorm{.groups = image.c}, "instance", {image, vector, vector});
    time_op(word, op::AdaptiveInstanceNorm{}, "", {image, image});
    time_op(word, op::GlobalResponseNorm{}, "", {image, vector, vector});
  }
  time_op(word, op::BatchStatistics{}, "", {batch});
  time_op(word, op::BatchNorm{}, "affine", {batch, {1, 1, 2, 64}, each, each});
  time_op(word, op::Demodulate{}, "1 style", {{512, 3, 3, 512}, {1, 1, 1, 512}});
  time_op(word, op::Demodulate{}, "16 styles", {{512, 3, 3, 512}, {16, 1, 1, 512}});
  time_op(word, op::BoxMean{24, 24}, "24x24", {{1, 128, 128, 32}});
  time_op(word, op::BoxMean{384, 384}, "384x384", {{1, 512, 512, 64}});
  time_op(word, op::Transpose{}, "", {{1, 1, 4096, 256}});
  const op::Pool max;
  time_op(word, op::MaxGradient{max}, "2x2", {batch, max.shape({batch})});
}

}  // namespace mend
