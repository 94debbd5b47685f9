// Gradient checkpointing of real networks: less memory, the same bits.
#include <doctest/doctest.h>

#include <cstring>

#include "models/registry.h"
#include "tests/support/guarded.h"
#include "train/initialize.h"
#include "train/training_step.h"

namespace mend::test {
namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  return a.shape() == b.shape() &&
         std::memcmp(a.address(), b.address(), static_cast<std::size_t>(a.bytes())) == 0;
}

struct Lesson {
  const char* network;
  Json hyperparameters;
  int channels, scale;
  double share;  ///< of the arena, that is left at most
};

}  // namespace

TEST_CASE("checkpointing: the gradients of networks have the same bits, in less memory") {
  const Lesson lessons[] = {
      {"srvgg",
       {{"num_in_ch", 3},
        {"num_out_ch", 3},
        {"num_feat", 8},
        {"num_conv", 20},
        {"upscale", 1},
        {"act_type", "prelu"}},
       3,
       1,
       0.5},
      {"dncnn", {{"in_nc", 3}, {"out_nc", 3}, {"nc", 8}, {"nb", 17}, {"act_mode", "R"}}, 3, 1, 0.7},
      {"rrdbnet",
       {{"num_in_ch", 3},
        {"num_out_ch", 3},
        {"scale", 4},
        {"num_feat", 8},
        {"num_block", 4},
        {"unshuffle", 1},
        {"plus", false},
        {"num_grow_ch", 4}},
       3,
       4,
       0.8},
  };
  for (const Lesson& lesson : lessons) {
    CAPTURE(lesson.network);
    const TrainableModel model(
        initial_checkpoint(architecture_named(lesson.network), lesson.hyperparameters, 1));
    const Tensor x = random_tensor({4, 24, 24, lesson.channels}, 1);
    const Tensor target =
        random_tensor({4, 24 * lesson.scale, 24 * lesson.scale, lesson.channels}, 2);
    const Objective objective = make_objective("charbonnier", "test");
    TrainingStep kept(model, x.shape(), target.shape(), objective);
    TrainingStep again(model, x.shape(), target.shape(), objective, {}, LateReads::kRecomputed);
    CAPTURE(kept.arena_bytes());
    CAPTURE(again.arena_bytes());
    CHECK(static_cast<double>(again.arena_bytes()) <
          lesson.share * static_cast<double>(kept.arena_bytes()));
    const Tensors parameters = values_of(model);
    CHECK(kept.run(parameters, x, target) == again.run(parameters, x, target));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      CAPTURE(model.parameters()[i].key);
      CHECK(same_bits(kept.gradients()[i], again.gradients()[i]));
    }
  }
}

}  // namespace mend::test
