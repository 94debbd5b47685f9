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

/// The numbers that this rule gives one tensor.
StoredTensor initial_tensor(const Parameter& parameter, std::uint64_t seed);

}  // namespace mend
