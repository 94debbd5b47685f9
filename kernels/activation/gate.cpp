#include "kernels/activation/gate.h"

#include <fmt/format.h>

#include "kernels/channels/channels.h"
#include "kernels/elementwise/elementwise.h"

namespace mend {
namespace {

double memory_time(const op::Gate& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return cost.bytes / NominalMachine::kBytesPerSecond +
         cost.flops / NominalMachine::kFlopsPerSecond;
}

constexpr Variant<op::Gate, GateKernel> kLadder[] = {
    {"gate/reference", DeviceKind::kCpu, never_refuses, slowest, 0, gate_reference},
    {"gate/simd", DeviceKind::kCpu, never_refuses, memory_time, 1e-6, gate_simd},
};

}  // namespace

std::span<const Variant<op::Gate, GateKernel>> gate_ladder() { return kLadder; }

void gate_reference(const op::Gate& op, View<const float> x, View<const float> z, View<float> y) {
  const auto [N, H, W, C] = x.shape;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w)
        for (int c = 0; c < C; ++c) {
          y(n, h, w, c) =
              static_cast<float>(activate(op.activation, x(n, h, w, c), 0) * z(n, h, w, c));
        }
}

namespace op {

Shape Gate::shape(const Shapes& in) const {
  if (activation.kind == ActivationKind::kPrelu) {
    throw ShapeError("gate: a PReLU's slopes have no place here");
  }
  if (in[kX] != in[kZ]) {
    throw ShapeError(
        fmt::format("gate: {} cannot open and close {}", to_string(in[kX]), to_string(in[kZ])));
  }
  return in[kX];
}

Cost Gate::cost(const Shapes& in) const {
  const double elements = static_cast<double>(in[kX].elements());
  return {Activate{activation}.cost(in).flops + elements, 3 * elements * sizeof(float)};
}

Footprint Gate::footprint(const Shapes&) const { return {}; }

std::string Gate::describe() const { return mend::describe(activation); }

void Gate::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(gate_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kZ].view<const float>(),
              y.view<float>());
}

std::optional<RowPart> Gate::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[kX].h, y);
}

std::optional<Activation> gate_of_halves(const AnyOp& next, const ThroughViews& views,
                                         int channels) {
  const auto* with_activation = next.as<Gate>();
  const auto* product = next.as<Binary>();
  const bool multiplies = product != nullptr && product->kind == BinaryKind::kMultiply;
  if (with_activation == nullptr && !multiplies) return std::nullopt;
  for (int i = 0; i < 2; ++i) {
    const auto& view = views[static_cast<std::size_t>(i)];
    const auto* slice = view ? view->as<SliceChannels>() : nullptr;
    const bool is_half = slice != nullptr && slice->first == i * (channels / 2) &&
                         slice->count == channels / 2 && channels % 2 == 0;
    if (!is_half) return std::nullopt;
  }
  return with_activation != nullptr ? with_activation->activation : Activation{};
}

}  // namespace op
}  // namespace mend
