#include "layers/multihead_attention.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/error.h"

namespace mend {
namespace {

/// Elements [part·count, (part + 1)·count) of `all` as a tensor of its own.
Tensor part_of(const Tensor& all, int part, const Shape& shape, const char* letter) {
  const std::int64_t count = shape.elements();
  const float* from = all.view<const float>().data + part * count;
  return Tensor::from(shape, {from, static_cast<std::size_t>(count)})
      .named(all.name() + "." + letter);
}

MultiheadAttention::Projection projection(const Scope& p, int dim, int part, const char* letter) {
  return {part_of(p.dense("in_proj_weight", {3 * dim, dim}, {3 * dim, 1, 1, dim}), part,
                  {dim, 1, 1, dim}, letter),
          part_of(p.vector("in_proj_bias", 3 * dim), part, vector_shape(dim), letter)};
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
