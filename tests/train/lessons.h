// Networks that are small enough to be trained in a test, also on a simulated GPU, and a picture in tiles.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "models/registry.h"
#include "restore/tiled_network.h"
#include "tests/support/guarded.h"
#include "train/initialize.h"
#include "train/training_state.h"
#include "train/training_step.h"

namespace mend::test {

struct Lesson {
  const char* network;
  Json hyperparameters;
  Shape input;
  int scale;
  const char* loss;
};

inline const Json kSrvgg = {{"num_in_ch", 3}, {"num_out_ch", 3}, {"num_feat", 12},
                            {"num_conv", 3},  {"upscale", 2},    {"act_type", "prelu"}};
inline const Json kDrunet = {{"in_nc", 3},
                             {"out_nc", 3},
                             {"nc", {8, 12, 16, 16}},
                             {"nb", 1},
                             {"bias", false},
                             {"act_mode", "R"},
                             {"downsample_mode", "strideconv"},
                             {"upsample_mode", "convtranspose"}};
inline const Json kNafnet = {{"img_channel", 3},           {"width", 8},
                             {"middle_blk_num", 1},        {"cls", "NAFNet"},
                             {"enc_blk_nums", {1}},        {"dec_blk_nums", {1}},
                             {"base_size", Json::array()}, {"train_size", {1, 3, 16, 24}}};

inline std::vector<Lesson> lessons() {
  return {
      {"srvgg", kSrvgg, {2, 11, 9, 3}, 2, "l1"},
      {"dncnn",
       {{"in_nc", 3}, {"out_nc", 3}, {"nc", 8}, {"nb", 4}, {"act_mode", "R"}},
       {2, 9, 13, 3},
       1,
       "mse"},
      {"drunet", kDrunet, {2, 16, 24, 3}, 1, "charbonnier"},
      {"nafnet", kNafnet, {2, 16, 24, 3}, 1, "mse"},
  };
}

inline TrainableModel made(const Lesson& lesson) {
  return TrainableModel(
      initial_checkpoint(architecture_named(lesson.network), lesson.hyperparameters, 1));
}

/// One step of a lesson; its gradients lie in the host's memory.
struct LessonStep {
  double loss;
  Tensors gradients;
  std::int64_t arena_bytes;
};

inline LessonStep step_of(const Lesson& lesson, const std::optional<NarrowImages>& narrow,
                          Device& device = cpu(), LateReads late_reads = LateReads::kKept) {
  const TrainableModel model = made(lesson);
  Shape target = lesson.input;
  target.h *= lesson.scale;
  target.w *= lesson.scale;
  TrainingStep step(model, lesson.input, target, make_objective(lesson.loss, "test"), {},
                    late_reads, device, true, narrow);
  const double loss = step.run(on(device, values_of(model)), random_tensor(lesson.input, 1),
                               random_tensor(target, 2));
  Tensors gradients;
  for (const Tensor& gradient : step.gradients()) {
    gradients.push_back(gradient ? gradient.on(cpu()).clone() : gradient);
  }
  return {loss, gradients, step.arena_bytes()};
}

/// ‖a − b‖ / ‖b‖ of all gradients together.
inline double difference(const Tensors& a, const Tensors& b) {
  double squares = 0, all = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (!b[i]) continue;
    for (std::int64_t k = 0; k < b[i].shape().elements(); ++k) {
      const double mine = a[i].view<const float>().data[k],
                   other = b[i].view<const float>().data[k];
      squares += (mine - other) * (mine - other);
      all += other * other;
    }
  }
  return std::sqrt(squares / all);
}

/// A network that looks nearby, so that tiles change nothing.
inline Model small_denoiser() {
  const Json hyperparameters = {
      {"in_nc", 3}, {"out_nc", 3}, {"nc", 8}, {"nb", 3}, {"act_mode", "R"}};
  return load_model(initial_checkpoint(architecture_named("dncnn"), hyperparameters, 1));
}

/// What a picture becomes, tile by tile.
inline Tensor tiled(const TileableNetwork& network, const Tensor& x, Device& device,
                    bool records = true) {
  TileOptions options;
  options.mode = TileOptions::Mode::kFixed;
  options.size = 16;
  options.devices = {&device};
  options.records = records;
  const Tensor y = Tensor::empty(x.shape());
  TiledNetwork(network).run(
      x.shape().h, x.shape().w, options,
      [&](const Rectangle& window, const Tensor& to) {
        for_each_element(to.shape(), [&](int n, int h, int w, int c) {
          to.view<float>()(n, h, w, c) = x.view<const float>()(n, window.y + h, window.x + w, c);
        });
      },
      [&](const Rectangle& at, const Tensor& pixels) {
        for_each_element(pixels.shape(), [&](int n, int h, int w, int c) {
          y.view<float>()(n, at.y + h, at.x + w, c) = pixels.view<const float>()(n, h, w, c);
        });
      });
  return y;
}

}  // namespace mend::test
