// The numbers that a network starts its training with.
#pragma once

#include <cstdint>

#include "models/architecture.h"
#include "weights/checkpoint.h"
#include "weights/parameter.h"

namespace mend {

/// The row of the registry with this name. Throws UsageError if there is none.
const Architecture& architecture_named(const std::string& name);

/// A checkpoint of this network, all its keys and hyper-parameters, with random numbers by kind:
///
///   weights of convolutions and linear layers: uniform in ±√(3·gain / fan_in), gain 2/(1 + slope²) of
///     the ReLUs behind them, slope 0.25 (He et al. 2015, arXiv:1502.01852, equation 15);
///   the last one a tenth of that: the network begins close to its skip connection;
///   biases 0;   norms 1;   PReLU 0.25;   temperatures 1;   LayerScale and NAFNet's beta, gamma 0.1;
///   tables of relative positions: N(0, 0.02²).
///
/// Drawn from (seed, key): the same key gets the same numbers in any order.
/// Throws CheckpointError if a hyper-parameter is absurd.
Checkpoint initial_checkpoint(const Architecture& architecture, const Json& hyperparameters,
                              std::uint64_t seed);

/// What a recipe says of single layers, over those numbers:
///
///   {"zero": ["*.res.2", "m_up1.0"], "identity": ["m_head", "m_tail"]}
///
/// `zero`: weight and bias are 0, so that a residual branch begins as nothing (Zhang et al. 2019,
/// "Fixup", arXiv:1901.09321). `identity`: output channel i of a convolution begins as input channel i,
/// for as many as there are on both sides; others stay as they are. With both, a network without a skip
/// around it, such as DRUNet, begins as one that gives back its input.
/// `*` is any text. Throws UsageError if a pattern fits no layer, or a layer is no convolution of odd size.
void start_layers(Checkpoint& checkpoint, const Json& rules);

/// The numbers that this rule gives one tensor.
StoredTensor initial_tensor(const Parameter& parameter, std::uint64_t seed);

}  // namespace mend
