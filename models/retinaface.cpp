#include "models/retinaface.h"

#include <fmt/format.h>

#include "kernels/pool/pool.h"

namespace mend {
namespace {

constexpr int kExpansion = 4;
constexpr int kSizes = 3;

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int out = extent(checkpoint, "fpn.output1.0.weight", 0);
  if (out == 0 || out % 4 != 0 || !has(checkpoint, "ssh1.conv3X3.0.weight") ||
      !has(checkpoint, "LandmarkHead.0.conv1x1.weight")) {
    return std::nullopt;
  }
  Recognised recognised;
  if (const int width = extent(checkpoint, "body.stage1.0.0.weight", 0); width > 0) {
    recognised.fixed = {{"network_name", "mobile"}, {"width", width}, {"out_channel", out}};
    return recognised;
  }
  const int width = extent(checkpoint, "body.conv1.weight", 0);
  Json layers = Json::array();
  for (int i = 1; i <= 4; ++i) {
    const std::vector<int> blocks =
        indices(checkpoint, fmt::format("body.layer{}.", i), "conv1.weight");
    if (blocks.empty()) return std::nullopt;
    layers.push_back(blocks.back() + 1);
  }
  if (width == 0) return std::nullopt;
  recognised.fixed = {
      {"network_name", "resnet"}, {"width", width}, {"layers", layers}, {"out_channel", out}};
  return recognised;
}

Built make(const Scope& p, const Json& hyper) {
  RetinaFace::Hyper h;
  h.mobile = choice(hyper, "network_name", {"resnet", "mobile"}) == "mobile";
  h.width = integer(hyper, "width", 1, 4096);
  if (!h.mobile) h.layers = integers(hyper, "layers", 1, 1024, 4);
  h.out_channel = integer(hyper, "out_channel", 4, 4096);
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"face detection"};
  traits.black = -117;  // of green; blue has 13 more, red 6 less
  traits.white = 138;
  traits.outputs.clear();
  for (const char* name : {"loc", "conf", "landmarks"}) {
    for (const int step : {8, 16, 32}) traits.outputs.push_back(fmt::format("{}{}", name, step));
  }
  const auto net = std::make_shared<const RetinaFace>(p, h);
  return {traits, [net](const std::vector<Tensor>& inputs) { return (*net)(inputs[0]); }};
}

std::variant<RetinaFace::Body, MobileBody> body_of(const Scope& p, const RetinaFace::Hyper& hyper) {
  if (hyper.mobile) return MobileBody(p, hyper.width);
  return RetinaFace::Body(p, hyper);
}

/// Each anchor's two logits as probabilities.
Tensor probabilities(const Tensor& logits) {
  std::vector<Tensor> anchors;
  for (int i = 0; i < kRetinaAnchors; ++i) {
    anchors.push_back(softmax(slice_channels(logits, 2 * i, 2)));
  }
  return concat(anchors);
}

/// `coarse` with every pixel repeated, as large as `fine`.
Tensor enlarged(const Tensor& coarse, const Tensor& fine) {
  return spread(coarse, fine.shape().h, fine.shape().w);
}

}  // namespace

Bottleneck::Bottleneck(const Scope& p, int in, int planes, int stride)
    : conv1(p / "conv1", in, planes, 1, {.bias = false}),
      bn1(p / "bn1", planes),
      conv2(p / "conv2", planes, planes, 3, {.stride = stride, .bias = false}),
      bn2(p / "bn2", planes),
      conv3(p / "conv3", planes, kExpansion * planes, 1, {.bias = false}),
      bn3(p / "bn3", kExpansion * planes) {
  if (stride == 1 && in == kExpansion * planes) return;
  downsample_0.emplace(p / "downsample" / 0, in, kExpansion * planes, 1,
                       Conv2dOptions{.stride = stride, .bias = false});
  downsample_1.emplace(p / "downsample" / 1, kExpansion * planes);
}

MobileBody::MobileBody(const Scope& p, int width)
    : stage1_0(p / "stage1" / 0, 3, width, 3, 0.1f, 2) {
  struct Block {
    int widths, stride;  // output channels in units of `width`
  };
  const std::vector<std::vector<Block>> kStages = {
      {{2, 1}, {4, 2}, {4, 1}, {8, 2}, {8, 1}},
      {{16, 2}, {16, 1}, {16, 1}, {16, 1}, {16, 1}, {16, 1}},
      {{32, 2}, {32, 1}},
  };
  int in = width;
  for (std::size_t stage = 0; stage < kStages.size(); ++stage) {
    const Scope scope = p / fmt::format("stage{}", stage + 1);
    std::vector<MobileBlock>& blocks = stages.emplace_back();
    for (const auto& [widths, stride] : kStages[stage]) {
      const int index = static_cast<int>(blocks.size()) + (stage == 0 ? 1 : 0);
      blocks.emplace_back(scope / index, in, widths * width, stride);
      in = widths * width;
    }
  }
}

std::vector<Tensor> MobileBody::operator()(const Tensor& x) const {
  Tensor y = stage1_0(x);
  std::vector<Tensor> results;
  for (const std::vector<MobileBlock>& blocks : stages) {
    for (const MobileBlock& block : blocks) y = block(y);
    results.push_back(y);
  }
  return results;
}

RetinaFace::Body::Body(const Scope& p, const Hyper& hyper)
    : conv1(p / "conv1", 3, hyper.width, 7, {.stride = 2, .bias = false}),
      bn1(p / "bn1", hyper.width) {
  int in = hyper.width, planes = hyper.width;
  for (std::size_t layer = 0; layer < hyper.layers.size(); ++layer) {
    const Scope scope = p / fmt::format("layer{}", layer + 1);
    std::vector<Bottleneck>& blocks = layers.emplace_back();
    for (int i = 0; i < hyper.layers[layer]; ++i) {
      blocks.emplace_back(scope / i, in, planes, layer > 0 && i == 0 ? 2 : 1);
      in = kExpansion * planes;
    }
    planes *= 2;
  }
}

std::vector<Tensor> RetinaFace::Body::operator()(const Tensor& x) const {
  Tensor y = relu(bn1(conv1(x)));
  y = apply(op::Pool{.kind = PoolKind::kMax, .kernel = 3, .stride = 2, .padding = 1}, {y});
  std::vector<Tensor> results;
  for (const std::vector<Bottleneck>& blocks : layers) {
    for (const Bottleneck& block : blocks) y = block(y);
    results.push_back(y);
  }
  results.erase(results.begin());
  return results;
}

RetinaFace::Fpn::Fpn(const Scope& p, const Hyper& hyper)
    : output1(p / "output1", 8 * hyper.width, hyper.out_channel, 1, hyper.slope()),
      output2(p / "output2", 16 * hyper.width, hyper.out_channel, 1, hyper.slope()),
      output3(p / "output3", 32 * hyper.width, hyper.out_channel, 1, hyper.slope()),
      merge1(p / "merge1", hyper.out_channel, hyper.out_channel, 3, hyper.slope()),
      merge2(p / "merge2", hyper.out_channel, hyper.out_channel, 3, hyper.slope()) {}

std::vector<Tensor> RetinaFace::Fpn::operator()(const std::vector<Tensor>& x) const {
  const Tensor fine = output1(x[0]), middle = output2(x[1]), coarse = output3(x[2]);
  const Tensor merged = merge2(middle + enlarged(coarse, middle));
  return {merge1(fine + enlarged(merged, fine)), merged, coarse};
}

RetinaFace::Ssh::Ssh(const Scope& p, const Hyper& hyper)
    : conv3X3(p / "conv3X3", hyper.out_channel, hyper.out_channel / 2, 3, std::nullopt),
      conv5X5_1(p / "conv5X5_1", hyper.out_channel, hyper.out_channel / 4, 3, hyper.slope()),
      conv5X5_2(p / "conv5X5_2", hyper.out_channel / 4, hyper.out_channel / 4, 3, std::nullopt),
      conv7X7_2(p / "conv7X7_2", hyper.out_channel / 4, hyper.out_channel / 4, 3, hyper.slope()),
      conv7x7_3(p / "conv7x7_3", hyper.out_channel / 4, hyper.out_channel / 4, 3, std::nullopt) {}

Tensor RetinaFace::Ssh::operator()(const Tensor& x) const {
  const Tensor shared = conv5X5_1(x);
  return relu(concat({conv3X3(x), conv5X5_2(shared), conv7x7_3(conv7X7_2(shared))}));
}

RetinaFace::RetinaFace(const Scope& p, const Hyper& hyper)
    : body(body_of(p / "body", hyper)), fpn(p / "fpn", hyper) {
  const int width = hyper.out_channel;
  for (int i = 0; i < kSizes; ++i) {
    ssh.emplace_back(p / fmt::format("ssh{}", i + 1), hyper);
    ClassHead.emplace_back(p / "ClassHead" / i / "conv1x1", width, kRetinaAnchors * 2, 1);
    BboxHead.emplace_back(p / "BboxHead" / i / "conv1x1", width, kRetinaAnchors * 4, 1);
    LandmarkHead.emplace_back(p / "LandmarkHead" / i / "conv1x1", width, kRetinaAnchors * 10, 1);
  }
}

std::vector<Tensor> RetinaFace::operator()(const Tensor& x) const {
  const std::vector<Tensor> pyramid =
      fpn(std::visit([&](const auto& net) { return net(x); }, body));
  std::vector<Tensor> loc, conf, landmarks;
  for (std::size_t i = 0; i < pyramid.size(); ++i) {
    const Tensor features = ssh[i](pyramid[i]);
    loc.push_back(BboxHead[i](features));
    conf.push_back(probabilities(ClassHead[i](features)));
    landmarks.push_back(LandmarkHead[i](features));
  }
  std::vector<Tensor> all = loc;
  all.insert(all.end(), conf.begin(), conf.end());
  all.insert(all.end(), landmarks.begin(), landmarks.end());
  return all;
}

Architecture retinaface() {
  return {.name = "retinaface",
          .title = "RetinaFace",
          .paper = "Deng et al. 2019, arXiv:1905.00641",
          .signature = "fpn.output1.0.weight, ssh1.conv3X3.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
