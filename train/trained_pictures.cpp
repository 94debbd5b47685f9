#include "train/trained_pictures.h"

#include "engine/plan.h"
#include "train/pairs.h"

namespace mend {

Tensors trained_pictures(const TrainableModel& model, const Tensors& parameters,
                         const Tensors& inputs, Device& device, bool records) {
  Plan plan(
      [&](const Tensors& given) {
        return model.forward(parameters, network_inputs(model.traits(), given[0]));
      },
      {inputs.front().shape()}, nullptr, {.device = &device, .records = records});
  Tensors pictures;
  for (const Tensor& input : inputs) pictures.push_back(plan({input})[0]);
  return pictures;
}

}  // namespace mend
