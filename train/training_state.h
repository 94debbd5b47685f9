// All that a training has learnt so far: stopped at any moment, it goes on from the last state as if
// nothing had happened.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "kernels/parameter_update/pieces.h"
#include "train/optimizers.h"
#include "train/replicas.h"
#include "weights/parameter.h"

namespace mend {

/// Tensors lie on the device that the training runs on.
struct TrainingState {
  std::int64_t step = 0;   ///< how many steps are done
  double rate_factor = 1;  ///< of the schedule's learning rate; halved after a rollback
  std::int64_t rollbacks = 0;
  double best_psnr = -1;                     ///< of all validations, dB
  std::vector<Tensor> parameters, averages;  ///< in the order of the model's
  Optimizer::State optimizer;
  /// Of an adversarial training (train/adversary.h): the discriminator's tensors, else none.
  std::vector<Tensor> discriminator;
  Optimizer::State discriminator_optimizer;
  std::string recipe;  ///< its text
};

/// Tensors with memory of their own.
std::vector<Tensor> copies_of(const std::vector<Tensor>& tensors);
/// Each tensor if it lies there, else its copy.
std::vector<Tensor> on(Device& device, const std::vector<Tensor>& tensors);
/// The numbers of `copy`, which `tensor.on` made, to where `tensor` lies; both dense. Nothing if it is `tensor` itself.
void put_back(const Tensor& copy, const Tensor& tensor);

/// average <- keep·average + (1 − keep)·value, number by number, on the tensors' device. `pieces` keeps what such
/// a call can use again.
void move_averages(const std::vector<Tensor>& averages, const std::vector<Tensor>& values,
                   double keep, TensorPieces& pieces);

/// Writes beside `path` and renames when all is on the disk. Throws WriteError.
void write_training_state(const std::string& path, const TrainingState& state,
                          const std::vector<Parameter>& parameters,
                          const std::vector<Parameter>& discriminator = {});

/// Into the host's memory. Throws CheckpointError if the file is none, or is of another network.
TrainingState read_training_state(const std::string& path, const std::vector<Parameter>& parameters,
                                  const std::vector<Parameter>& discriminator = {});

/// Rank 0's state to all ranks, into tensors that are shaped like its own. Not its recipe.
void broadcast(TrainingState& state, Replicas& replicas);

}  // namespace mend
