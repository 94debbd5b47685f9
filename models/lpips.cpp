#include "models/lpips.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "engine/error.h"
#include "models/architecture.h"

namespace mend {
namespace {

struct ConvAt {
  int index, out;
  int kernel = 3, stride = 1, padding = 1;
};

struct StageAt {
  int pool;
  std::vector<ConvAt> convs;
};

struct Trunk {
  std::string name;
  int smallest;
  std::vector<StageAt> stages;
};

Trunk alexnet() {
  return {"AlexNet",
          31,
          {{0, {{0, 64, 11, 4, 2}}},
           {3, {{3, 192, 5, 1, 2}}},
           {3, {{6, 384}}},
           {0, {{8, 256}}},
           {0, {{10, 256}}}}};
}

Trunk vgg16() {
  return {"VGG16",
          16,
          {{0, {{0, 64}, {2, 64}}},
           {2, {{5, 128}, {7, 128}}},
           {2, {{10, 256}, {12, 256}, {14, 256}}},
           {2, {{17, 512}, {19, 512}, {21, 512}}},
           {2, {{24, 512}, {26, 512}, {28, 512}}}}};
}

}  // namespace

Tensor LpipsNetwork::scaled(const Tensor& x) {
  const Tensor shift = Tensor::from({1, 1, 1, 3}, std::vector<float>{-0.030f, -0.088f, -0.188f});
  const Tensor scale = Tensor::from({1, 1, 1, 3}, std::vector<float>{0.458f, 0.448f, 0.450f});
  return (x - shift) / scale;
}

bool has_lpips_weights(const Checkpoint& checkpoint) {
  return has(checkpoint, "lin0.model.1.weight") || has(checkpoint, "features.0.weight");
}

LpipsNetwork load_lpips(Checkpoint checkpoint) {
  if (!has(checkpoint, "features.0.weight")) {
    throw CheckpointError(
        fmt::format("{}: has the heads of LPIPS but not their network; give torchvision's AlexNet "
                    "(for alex.pth) or VGG16 (for vgg.pth) too",
                    checkpoint.path));
  }
  const Trunk trunk = extent(checkpoint, "features.0.weight", 2) == 11 ? alexnet() : vgg16();
  LpipsNetwork network{trunk.name, trunk.smallest, {}, {}};
  const auto store = std::make_shared<ParameterStore>(
      std::move(checkpoint), fmt::format("LPIPS on torchvision's {}", trunk.name));
  store->ignore("classifier");
  const Scope p(store);
  int in = 3;
  for (const StageAt& stage : trunk.stages) {
    LpipsStage built{stage.pool, {}};
    for (const ConvAt& at : stage.convs) {
      built.convs.emplace_back(p / "features" / at.index, in, at.out, at.kernel,
                               Conv2dOptions{.stride = at.stride, .padding = at.padding});
      in = at.out;
    }
    const int number = static_cast<int>(network.stages.size());
    network.heads.push_back((p / fmt::format("lin{}", number) / "model" / 1).vector("weight", in));
    network.stages.push_back(std::move(built));
  }
  store->finish();
  return network;
}

}  // namespace mend
