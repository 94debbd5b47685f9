// How AnyOp calls an operation's optional members; a part of engine/op.h, which includes it.
#pragma once

#include "engine/op.h"

namespace mend {

template <class Op>
struct AnyOp::Model final : AnyOp::Interface {
  explicit Model(Op value) : op(std::move(value)) {}

  const std::type_info& type() const override { return typeid(Op); }
  std::string_view name() const override { return Op::kName; }
  std::string describe() const override {
    if constexpr (requires { op.describe(); }) return op.describe();
    return {};
  }
  Shape shape(const Shapes& in) const override { return op.shape(in); }
  DType dtype() const override {
    if constexpr (requires { op.dtype(); }) return op.dtype();
    return DType::kF32;
  }
  Cost cost(const Shapes& in) const override { return op.cost(in); }
  Footprint footprint(const Shapes& in) const override { return op.footprint(in); }
  std::int64_t scratch_bytes(const Shapes& in) const override {
    if constexpr (requires { op.scratch_bytes(in); }) return op.scratch_bytes(in);
    return 0;
  }
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const override {
    op.forward(inputs, y, scratch);
  }
  static constexpr bool kIsView = requires(const Op& o, const Tensor& x) { o.view(x); };
  bool is_view() const override { return kIsView; }
  std::optional<Tensor> view(const Tensor& x) const override {
    if constexpr (kIsView) return op.view(x);
    return std::nullopt;
  }
  bool joins_channels() const override {
    return requires { Op::kJoinsChannels; };
  }
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in,
                               DeviceKind device) const override {
    if constexpr (requires { op.absorb(next, position, in, device); }) {
      return op.absorb(next, position, in, device);
    }
    if constexpr (requires { op.absorb(next, position, in); }) return op.absorb(next, position, in);
    return std::nullopt;
  }
  std::optional<Fusion> absorb_through(const AnyOp& next, const ThroughViews& views,
                                       const Shapes& in) const override {
    if constexpr (requires { op.absorb_through(next, views, in); }) {
      return op.absorb_through(next, views, in);
    }
    return std::nullopt;
  }
  std::optional<Fusion> pair(const AnyOp& next, int position, const Shapes& in,
                             const Shapes& next_in) const override {
    if constexpr (requires { op.pair(next, position, in, next_in); }) {
      return op.pair(next, position, in, next_in);
    }
    return std::nullopt;
  }
  std::optional<Fold> fold(const AnyOp& next, int position, const Shapes& in) const override {
    if constexpr (requires { op.fold(next, position, in); }) return op.fold(next, position, in);
    return std::nullopt;
  }
  std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const override {
    if constexpr (requires { op.lower(in, device); }) return op.lower(in, device);
    if constexpr (requires { op.lower(in); }) {
      if (device == DeviceKind::kCpu) return op.lower(in);
    }
    return std::nullopt;
  }
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const override {
    if constexpr (requires { op.row_part(in, y); }) return op.row_part(in, y);
    return std::nullopt;
  }
  std::optional<Quantized> quantize(const Shapes& in, bool output) const override {
    if constexpr (requires { op.quantize(in, output); }) return op.quantize(in, output);
    return std::nullopt;
  }
  std::optional<Narrowed> narrow(const Shapes& in, DType type, DeviceKind device) const override {
    if constexpr (requires { op.narrow(in, type, device); }) return op.narrow(in, type, device);
    if constexpr (requires { op.narrow(in, type); }) {
      if (device != DeviceKind::kCpu) return op.narrow(in, type);
    }
    return std::nullopt;
  }
  bool on_gpu() const override {
    if constexpr (requires { Op::kOnGpu; }) return Op::kOnGpu;
    return false;
  }
  static constexpr bool kHasBackward = requires(const Op& o, const Backward& call) {
    o.backward(call);
  };
  bool has_backward() const override { return kHasBackward; }
  Tensors backward(const Backward& call) const override {
    if constexpr (kHasBackward) return op.backward(call);
    return {};
  }
  Saves saves(const std::vector<bool>& wanted) const override {
    if constexpr (kHasBackward) return op.saves(wanted);
    return {};
  }

  Op op;
};

inline std::optional<Fusion> AnyOp::absorb(const AnyOp& next, int position, const Shapes& in,
                                           DeviceKind device) const {
  return self_->absorb(next, position, in, device);
}
inline std::optional<Fusion> AnyOp::absorb_through(const AnyOp& next, const ThroughViews& views,
                                                   const Shapes& in) const {
  return self_->absorb_through(next, views, in);
}
inline std::optional<Fusion> AnyOp::pair(const AnyOp& next, int position, const Shapes& in,
                                         const Shapes& next_in) const {
  return self_->pair(next, position, in, next_in);
}
inline std::optional<Fold> AnyOp::fold(const AnyOp& next, int position, const Shapes& in) const {
  return self_->fold(next, position, in);
}
inline std::optional<Lowering> AnyOp::lower(const Shapes& in, DeviceKind device) const {
  return self_->lower(in, device);
}
inline std::optional<RowPart> AnyOp::row_part(const Shapes& in, RowRange y) const {
  return self_->row_part(in, y);
}
inline std::optional<Quantized> AnyOp::quantize(const Shapes& in, bool output) const {
  return self_->quantize(in, output);
}
inline std::optional<Narrowed> AnyOp::narrow(const Shapes& in, DType type,
                                             DeviceKind device) const {
  return self_->narrow(in, type, device);
}

}  // namespace mend
