// Times of two 3x3 layers in one kernel, and in two launches of each rung of conv2d that can.
#include <fmt/format.h>

#include "bench/gpu/times.h"
#include "bench/one_op.h"
#include "engine/gpu.h"
#include "kernels/conv2d/variant.h"
#include "kernels/conv2d_pair/conv2d_pair.h"
#include "kernels/convert/convert.h"

namespace mend {
namespace {

/// What stays in L2, and what does not.
struct Layers {
  int side, C;
} constexpr kLayers[] = {{512, 16},  {512, 64},  {2048, 16}, {1024, 32},
                         {1024, 48}, {1024, 64}, {2048, 32}};

op::Conv2d layer_of(int C) {
  op::Conv2d op;
  op.kernel_h = op.kernel_w = 3;
  op.padding_h = op.padding_w = 1;
  op.outputs = C;
  op.type = DType::kF16;
  return op;
}

void time_pair(const Conv2dPairVariant& rung, op::Conv2dPair op, const Tensor& x,
               const Tensor& weight, const std::string& name) {
  const Shapes in{x.shape(), weight.shape(), {}, {}, weight.shape()};
  const Cost cost = op.cost(in);
  op.variant = &rung;
  const Tensor packed = mend::apply(op::PackConv2dPairWeight{op}, {weight});
  const Tensors inputs{x, packed, {}, {}, packed};
  const Tensor y = Tensor::empty(x.shape(), op.dtype(), gpu(0));
  report(name, seconds_of([&] { op.forward(inputs, y, {}); }), cost);
}

void time_apart(const Conv2dVariant& rung, op::Conv2d op, const Tensor& x, const Tensor& weight,
                const std::string& name) {
  Cost cost = op.cost({x.shape(), weight.shape()});
  cost += cost;
  op.variant = &rung;
  const Tensor packed = mend::apply(op::PackConv2dWeight{op}, {weight});
  const Tensor middle = Tensor::empty(x.shape(), op.type, gpu(0));
  const Tensor y = Tensor::empty(x.shape(), op.type, gpu(0));
  const Tensors first{x, packed}, second{middle, packed};
  report(name, seconds_of([&] {
           op.forward(first, middle, {});
           op.forward(second, y, {});
         }),
         cost);
}

}  // namespace

void time_pairs(const std::string& word) {
  for (const Layers& layers : kLayers) {
    const op::Conv2d layer = layer_of(layers.C);
    const Shape shape{1, layers.side, layers.side, layers.C}, filters{layers.C, 3, 3, layers.C};
    const auto name = [&](std::string_view rung) {
      return fmt::format("{}/{}to{}/{}x{}/{}", rung, layers.C, layers.C, layers.side, layers.side,
                         name_of(layer.type));
    };
    const auto is_meant = [&](const std::string& of_case) {
      return of_case.find(word) != std::string::npos;
    };
    const auto image = [&] {
      return mend::apply(op::Convert{DType::kF32, layer.type},
                         {bench::wave(shape, 0.25f).on(gpu(0))});
    };
    const auto weight = [&] { return bench::constant(filters).on(gpu(0)); };
    for (const Conv2dPairVariant& rung : conv2d_pair_ladder()) {
      const bool runs = rung.device == DeviceKind::kCuda && is_meant(name(rung.name));
      if (runs) time_pair(rung, {layer, layer}, image(), weight(), name(rung.name));
    }
    for (const Conv2dVariant& rung : conv2d_ladder()) {
      const std::string apart = name(fmt::format("conv2d_pair/apart/{}", rung.name));
      const bool runs = rung.device == DeviceKind::kCuda && rung.kernel.packs() &&
                        rung.refuses(layer, {shape, filters}).empty() && is_meant(apart);
      if (runs) time_apart(rung, layer, image(), weight(), apart);
    }
  }
}

}  // namespace mend
