#include "layers/multihead_attention.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/error.h"
#include "layers/functions.h"

namespace mend {
namespace {

MultiheadAttention::Projection projection(const Scope& p, int dim, int part, const char* letter) {
  const Tensor weight = p.matrix("in_proj_weight", 3 * dim, dim);
  const Tensor bias = p.vector("in_proj_bias", 3 * dim);
  return {
      reshape(crop(weight, 0, part * dim, 1, dim), dim, 1, 1).named(weight.name() + "." + letter),
      slice_channels(bias, part * dim, dim).named(bias.name() + "." + letter)};
}

}  // namespace

MultiheadAttention::MultiheadAttention(const Scope& p, int dim, int heads)
    : q(projection(p, dim, 0, "q")),
      k(projection(p, dim, 1, "k")),
      v(projection(p, dim, 2, "v")),
      out_proj(p / "out_proj", dim, dim) {
  if (heads < 1 || dim % heads != 0) {
    throw CheckpointError(fmt::format("{}: {} channels cannot be dealt to {} heads",
                                      (p / "in_proj_weight").path(), dim, heads));
  }
  project.outputs = dim;
  attend = {.heads = heads, .scale = 1 / std::sqrt(static_cast<float>(dim / heads))};
}

Tensor MultiheadAttention::operator()(const Tensor& queries, const Tensor& keys,
                                      const Tensor& values) const {
  return out_proj(apply(attend, {apply(project, {queries, q.weight, q.bias}),
                                 apply(project, {keys, k.weight, k.bias}),
                                 apply(project, {values, v.weight, v.bias})}));
}

}  // namespace mend
