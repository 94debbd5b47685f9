#include "models/iat.h"

#include <cmath>

#include "kernels/matmul/matmul.h"
#include "kernels/rearrange/rearrange.h"

namespace mend {
namespace {

constexpr int kColours = 3;
constexpr int kQueries = 1 + kColours * kColours;  // gamma and the matrix of colours
constexpr int kHeads = 4;                          // the official class asks for no other
constexpr int kWider = 4;                          // the generator's MLP widens its input by this

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const std::string local = "local_net.", chain = local + "mul_blocks.";
  const int dim = extent(checkpoint, local + "conv1.weight", 0);
  const std::vector<int> blocks = indices(checkpoint, chain, "norm1.color");
  const int hidden = extent(checkpoint, chain + "0.mlp.fc1.weight", 0);
  if (dim == 0 || blocks.empty() || hidden == 0 ||
      extent(checkpoint, local + "conv1.weight", 1) != kColours) {
    return std::nullopt;
  }
  const int global = extent(checkpoint, "global_net.color_linear.weight", 1);
  Json fixed = {{"in_dim", kColours},
                {"with_global", global > 0},
                {"dim", dim},
                {"number", blocks.back() + 1},
                {"mlp_hidden_dim", hidden}};
  if (global > 0) fixed["out_channels"] = global;
  return Recognised{.fixed = fixed, .defaults = {{"type", "lol"}}};
}

Built make(const Scope& p, const Json& hyper) {
  IATHyper h;
  h.with_global = flag(hyper, "with_global");
  h.dim = integer(hyper, "dim", 1, 4096);
  h.number = integer(hyper, "number", 1, 1024);
  h.mlp = integer(hyper, "mlp_hidden_dim", 1, 16384);
  if (h.with_global) h.out_channels = integer(hyper, "out_channels", 2 * kHeads, 4096);
  if (h.out_channels % kHeads != 0) {
    throw CheckpointError("IAT: out_channels must be a multiple of 4, the number of heads");
  }
  choice(hyper, "type", {"lol", "exp"});
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"lowlight"};
  traits.outputs = {"output", "mul", "add"};
  const auto net = std::make_shared<const IAT>(p, h);
  return {traits, [net](const std::vector<Tensor>& inputs) { return (*net)(inputs[0]); }};
}

std::vector<CBlock> chain_of_blocks(const Scope& p, const IATHyper& h) {
  std::vector<CBlock> blocks;
  for (int i = 0; i < h.number; ++i) blocks.emplace_back(p / i, h.dim, h.mlp);
  return blocks;
}

Tensor through(const std::vector<CBlock>& blocks, const Tensor& x) {
  Tensor y = x;
  for (const CBlock& block : blocks) y = block(y);
  return y + x;
}

}  // namespace

ColourNorm::ColourNorm(const Scope& p, int dim)
    : color(p.dense("color", {dim, dim}, {dim, 1, 1, dim})),
      alpha(p.vector("alpha", dim)),
      beta(p.vector("beta", dim)) {
  mix.outputs = dim;
}

CBlock::CBlock(const Scope& p, int dim, int hidden)
    : pos_embed(p / "pos_embed", dim, dim, 3, {.groups = dim}),
      norm1(p / "norm1", dim),
      conv1(p / "conv1", dim, dim, 1),
      attn(p / "attn", dim, dim, 5, {.groups = dim}),
      conv2(p / "conv2", dim, dim, 1),
      gamma_1(p.vector("gamma_1", dim)),
      norm2(p / "norm2", dim),
      fc1(p / "mlp" / "fc1", dim, hidden, 1),
      fc2(p / "mlp" / "fc2", hidden, dim, 1),
      gamma_2(p.vector("gamma_2", dim)) {}

Tensor CBlock::operator()(const Tensor& x) const {
  Tensor y = x + pos_embed(x);
  y = y + gamma_1 * conv2(attn(conv1(norm1(y))));
  return y + gamma_2 * fc2(gelu(fc1(norm2(y))));
}

LocalBranch::LocalBranch(const Scope& p, const IATHyper& h)
    : conv1(p / "conv1", kColours, h.dim),
      mul_blocks(chain_of_blocks(p / "mul_blocks", h)),
      add_blocks(chain_of_blocks(p / "add_blocks", h)),
      mul_end(p / "mul_end" / 0, h.dim, kColours),
      add_end(p / "add_end" / 0, h.dim, kColours) {}

LocalBranch::Result LocalBranch::operator()(const Tensor& x) const {
  const Tensor features = lrelu(conv1(x));
  return {relu(mul_end(through(mul_blocks, features))),
          tanh(add_end(through(add_blocks, features)))};
}

QueryGenerator::QueryGenerator(const Scope& p, int dim)
    : pos_embed(p / "pos_embed", dim, dim, 3, {.groups = dim}),
      norm1(p / "norm1", dim),
      q(p.dense("attn.q", {1, kQueries, dim}, {1, 1, kQueries, dim})),
      k(p / "attn" / "k", dim, dim, false),
      v(p / "attn" / "v", dim, dim, false),
      proj(p / "attn" / "proj", dim, dim),
      norm2(p / "norm2", dim),
      mlp(p / "mlp", dim, kWider * dim),
      attend{.heads = kHeads, .scale = 1 / std::sqrt(static_cast<float>(dim / kHeads))} {}

Tensor QueryGenerator::operator()(const Tensor& x) const {
  const Tensor seen = norm1(tokens(x + pos_embed(x)));
  const Tensor queries = q + Tensor::zeros({x.shape().n, 1, 1, 1});  // the same for each image
  const Tensor y = proj(apply(attend, {queries, k(seen), v(seen)}));
  return y + mlp(norm2(y));
}

GlobalBranch::GlobalBranch(const Scope& p, int dim)
    : proj_0(p / "conv_large" / "proj" / 0, kColours, dim / 2, 3, {.stride = 2}),
      proj_1(p / "conv_large" / "proj" / 1, dim / 2),
      proj_3(p / "conv_large" / "proj" / 3, dim / 2, dim, 3, {.stride = 2}),
      proj_4(p / "conv_large" / "proj" / 4, dim),
      generator(p / "generator", dim),
      gamma_linear(p / "gamma_linear", dim, 1),
      color_linear(p / "color_linear", dim, 1),
      gamma_base(p.vector("gamma_base", 1)),
      color_base(p.dense("color_base", {kColours, kColours}, {1, 1, kColours * kColours, 1})) {}

GlobalBranch::Result GlobalBranch::operator()(const Tensor& x) const {
  const Tensor found = generator(proj_4(proj_3(gelu(proj_1(proj_0(x))))));
  const int n = x.shape().n;
  const Tensor gamma = gamma_linear(crop(found, 0, 0, 1, 1)) + gamma_base;
  const Tensor colour = color_linear(crop(found, 0, 1, 1, kQueries - 1)) + color_base;
  const Tensor rows = apply(op::Transpose{}, {reshape(colour, n, kColours, kColours)});
  return {gamma, reshape(rows, n, 1, kColours)};
}

IAT::IAT(const Scope& p, const IATHyper& hyper) : local_net(p / "local_net", hyper) {
  if (hyper.with_global) global_net.emplace(p / "global_net", hyper.out_channels);
}

std::vector<Tensor> IAT::operator()(const Tensor& x) const {
  const auto [mul, add] = local_net(x);
  const Tensor y = x * mul + add;
  if (!global_net) return {y, mul, add};
  const auto [n, h, w, c] = x.shape();
  const auto [gamma, colour] = (*global_net)(x);
  const Tensor mixed = apply(op::Matmul{.transpose_b = true}, {tokens(y), colour});
  return {power(clamp(reshape(mixed, n, h, w), 1e-8f, 1), gamma), mul, add};
}

Architecture iat() {
  return {.name = "iat",
          .title = "IAT",
          .paper = "Cui et al. 2022, arXiv:2205.14871",
          .signature = "local_net.mul_blocks.0.norm1.color",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
