// The network that learns to tell a network's results from real pictures.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "engine/op.h"
#include "models/network.h"
#include "models/patch_discriminator.h"
#include "models/unet_discriminator.h"
#include "weights/parameter.h"

namespace mend {

/// Which it is, with the official constructor's names for the rest:
///   {"name": "unet", "num_feat": 64, "skip_connection": true}         models/unet_discriminator.h
///   {"name": "patch", "ndf": 64, "n_layers": 3, "norm": "batch"}      models/patch_discriminator.h;
///                                                                     norm: batch, instance or none
/// and "start", a checkpoint of it to go on from.
struct DiscriminatorOptions {
  std::variant<UNetDiscriminatorSN::Hyper, NLayerDiscriminator::Hyper> hyper;
  std::string start;  ///< empty: random numbers
};

/// Throws UsageError that begins with `place`.
DiscriminatorOptions read_discriminator_options(const Json& given, const std::string& place);

/// A discriminator's structure and the numbers that it starts with; who trains it has copies of these.
class Discriminator {
 public:
  /// For pictures of this shape: {N,H,W,C}. Without a start its weights are random, drawn from (seed, key),
  /// and the vectors of spectral norms are brought near those that they estimate.
  /// Throws UsageError if it cannot look at such pictures, CheckpointError if the start is of another.
  Discriminator(const DiscriminatorOptions& options, const Shape& picture, std::uint64_t seed);

  /// "UNetDiscriminatorSN(num_feat 64)"
  const std::string& description() const { return description_; }
  /// All its tensors in the order of their keys, the vectors of spectral norms among them.
  const std::vector<Parameter>& tensors() const { return tensors_; }
  /// By tensor: whether gradients change it. Those of spectral norms follow by iterate().
  const std::vector<bool>& is_trained() const { return is_trained_; }

  /// What it says of each of `pictures`, with `tensors` in place of its own; made of `apply`.
  Tensors operator()(const Tensors& tensors, const Tensors& pictures) const;
  /// One step of the power iteration (layers/spectral_norm.h) for each spectral norm, in place.
  void iterate(const Tensors& tensors) const;

 private:
  struct SpectralNorm {
    std::size_t weight, u, v;  // in tensors_
  };

  DiscriminatorOptions options_;
  int channels_;
  std::string description_;
  std::vector<Parameter> tensors_;
  std::vector<bool> is_trained_;
  std::vector<SpectralNorm> norms_;
};

}  // namespace mend
