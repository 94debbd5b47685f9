// What an operation is, and the three ways to run it.
//
// An operation is a small value type that holds its parameters (stride, padding, ...), knows its
// formula's shapes, its cost and what it can see, and computes its output. `apply` is the only way
// to run one, and looks only at its inputs:
//
//   plain tensors               eager: the operation runs at once
//   a tensor on a tape          tape:  it runs, and the tape notes it for the gradient
//   a placeholder of a trace    trace: nothing runs; the step is noted, and a plan is made of it
//
// A placeholder on a tape does both: so forward, loss and gradient together become one plan.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "engine/cost.h"
#include "engine/tensor.h"

namespace mend {

/// The inputs of one call in the order of the operation's slots; an absent one is undefined.
using Inputs = std::span<const Tensor>;
using Tensors = std::vector<Tensor>;
/// Working memory of one call, aligned to 64 bytes, contents undefined. On a GPU there is none: kernels
/// there take theirs from the device, whose allocator gives out again what was freed, in stream order.
using Scratch = std::span<std::byte>;

class AnyOp;
struct Fold;
struct Fusion;
struct Lowering;
struct RowPart;

/// The rows [begin, end) of an image; {0, 0} stands for "as it is", for vectors and weights.
struct RowRange {
  int begin = 0, end = 0;

  bool operator==(const RowRange&) const = default;
  bool empty() const { return end <= begin; }
  int count() const { return end - begin; }
};

/// For each input of an operation the view that it reads it through, or nothing.
using ThroughViews = std::vector<std::optional<AnyOp>>;
struct Quantized;
struct Narrowed;

/// A call whose gradient is asked for. The loss L is any number that depends on y.
struct Backward {
  Inputs inputs;
  const Tensor& y;
  const Tensor& dy;                 ///< dL/dy, the cotangent of y; shaped like y
  const std::vector<bool>& wanted;  ///< by input: whether dL/d(input) is asked for

  /// Input i, undefined if it was left out.
  Tensor input(std::size_t i) const { return i < inputs.size() ? inputs[i] : Tensor(); }
  bool wants(std::size_t i) const { return i < wanted.size() && wanted[i]; }
};

/// Which tensors of a call its gradient reads: of the others a tape keeps the shape alone.
struct Saves {
  std::uint32_t inputs = 0;  ///< bit i: input i
  bool y = false;

  bool input(std::size_t i) const { return i < 32 && (inputs >> i & 1) != 0; }
};

/// Every operation has these. Optional members, used when they are there:
///   DType dtype() const                                       of y; f32 without it
///   std::int64_t scratch_bytes(const Shapes&) const           working memory of forward
///   std::string describe() const                              parameters in a few characters
///   static constexpr bool kJoinsChannels = true               y is its inputs side by side; an
///                                                             input that is already there stays
///   std::optional<Tensor> view(const Tensor& x) const         y as a view of x, without any work
///   std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in) const
///                                                             does `next` fit my epilogue?
///   std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in,
///       DeviceKind device) const                              where that depends on the device
///   std::optional<Fusion> absorb_through(const AnyOp& next,
///       const ThroughViews& views, const Shapes& in) const    does `next`, which reads my result
///                                                             as several views, fit?
///   std::optional<Fusion> pair(const AnyOp& next, int position, const Shapes& in,
///       const Shapes& next_in) const                          `next`, which alone reads my result, and I as
///                                                             one step, where that is faster: on a GPU
///   std::optional<Fold> fold(const AnyOp& next, int position, const Shapes& in) const
///                                                             does `next`, whose other operand is
///                                                             constant, fit into my constants?
///   std::optional<Lowering> lower(const Shapes& in) const     fix the rung, repack constants;
///   std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const    on any device
///   static constexpr bool kOnGpu = true                       forward takes tensors on a GPU too; the
///                                                             engine refuses others there
///   std::optional<RowPart> row_part(const Shapes& in, RowRange y) const
///                                                             these rows of y alone, the same bits
///   std::optional<Quantized> quantize(const Shapes& in, bool output) const
///                                                             the same on an 8-bit input 0, and with an
///                                                             8-bit y if `output`
///   std::optional<Narrowed> narrow(const Shapes& in, DType type) const
///                                                             the same on images of f16 or bf16, with
///                                                             such a y: on a GPU
///   std::optional<Narrowed> narrow(const Shapes& in, DType type, DeviceKind device) const
///                                                             on any device; on a CPU with its rung
///                                                             fixed already
///   Tensors backward(const Backward& call) const              dL/d(input i) for each wanted i, shaped
///                                                             like it, made of `apply`: so gradients
///                                                             run at once, or are traced and planned
///   Saves saves(const std::vector<bool>& wanted) const        what backward reads of the call; goes
///                                                             with backward
template <class Op>
concept Operation = requires(const Op op, const Shapes& in, Inputs inputs, const Tensor& y,
                             Scratch scratch) {
  { Op::kName } -> std::convertible_to<std::string_view>;
  { op.shape(in) } -> std::same_as<Shape>;          // of y; throws ShapeError
  { op.cost(in) } -> std::same_as<Cost>;            // FLOPs and compulsory bytes
  { op.footprint(in) } -> std::same_as<Footprint>;  // what one pixel of y can see
  op.forward(inputs, y, scratch);                   // computes y, which may be a channel slice
};

/// Any operation behind one type; cheap to copy.
class AnyOp {
 public:
  template <Operation Op>
  AnyOp(Op op) : self_(std::make_shared<Model<Op>>(std::move(op))) {}  // NOLINT: implicit by design

  std::string_view name() const { return self_->name(); }
  std::string describe() const { return self_->describe(); }
  Shape shape(const Shapes& in) const { return self_->shape(in); }
  DType dtype() const { return self_->dtype(); }
  Cost cost(const Shapes& in) const { return self_->cost(in); }
  Footprint footprint(const Shapes& in) const { return self_->footprint(in); }
  std::int64_t scratch_bytes(const Shapes& in) const { return self_->scratch_bytes(in); }
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
    self_->forward(inputs, y, scratch);
  }
  std::optional<Tensor> view(const Tensor& x) const { return self_->view(x); }
  bool is_view() const { return self_->is_view(); }
  bool joins_channels() const { return self_->joins_channels(); }
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in,
                               DeviceKind device) const;
  std::optional<Fusion> absorb_through(const AnyOp& next, const ThroughViews& views,
                                       const Shapes& in) const;
  std::optional<Fusion> pair(const AnyOp& next, int position, const Shapes& in,
                             const Shapes& next_in) const;
  std::optional<Fold> fold(const AnyOp& next, int position, const Shapes& in) const;
  std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
  std::optional<Quantized> quantize(const Shapes& in, bool output) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType type, DeviceKind device) const;
  /// Whether it runs there, or is a view, which works on any device.
  bool runs_on(DeviceKind device) const {
    return device == DeviceKind::kCpu || self_->on_gpu() || is_view();
  }
  bool has_backward() const { return self_->has_backward(); }
  /// Only for operations that have a gradient.
  Tensors backward(const Backward& call) const { return self_->backward(call); }
  Saves saves(const std::vector<bool>& wanted) const { return self_->saves(wanted); }

  /// The operation itself if it is an Op, else null.
  template <Operation Op>
  const Op* as() const {
    return self_->type() == typeid(Op) ? &static_cast<const Model<Op>&>(*self_).op : nullptr;
  }

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual const std::type_info& type() const = 0;
    virtual std::string_view name() const = 0;
    virtual std::string describe() const = 0;
    virtual Shape shape(const Shapes&) const = 0;
    virtual DType dtype() const = 0;
    virtual Cost cost(const Shapes&) const = 0;
    virtual Footprint footprint(const Shapes&) const = 0;
    virtual std::int64_t scratch_bytes(const Shapes&) const = 0;
    virtual void forward(Inputs, const Tensor&, Scratch) const = 0;
    virtual std::optional<Tensor> view(const Tensor&) const = 0;
    virtual bool is_view() const = 0;
    virtual bool joins_channels() const = 0;
    virtual std::optional<Fusion> absorb(const AnyOp&, int, const Shapes&, DeviceKind) const = 0;
    virtual std::optional<Fusion> absorb_through(const AnyOp&, const ThroughViews&,
                                                 const Shapes&) const = 0;
    virtual std::optional<Fusion> pair(const AnyOp&, int, const Shapes&, const Shapes&) const = 0;
    virtual std::optional<Fold> fold(const AnyOp&, int, const Shapes&) const = 0;
    virtual std::optional<Lowering> lower(const Shapes&, DeviceKind) const = 0;
    virtual std::optional<RowPart> row_part(const Shapes&, RowRange) const = 0;
    virtual std::optional<Quantized> quantize(const Shapes&, bool) const = 0;
    virtual std::optional<Narrowed> narrow(const Shapes&, DType, DeviceKind) const = 0;
    virtual bool on_gpu() const = 0;
    virtual bool has_backward() const = 0;
    virtual Tensors backward(const Backward&) const = 0;
    virtual Saves saves(const std::vector<bool>&) const = 0;
  };
  template <class Op>
  struct Model;

  std::shared_ptr<const Interface> self_;
};

/// Where one input of a fused operation comes from.
struct FusedInput {
  enum From { kAbsent, kMine, kNext } from = kAbsent;
  int index = 0;
};

/// One operation that computes `next(op(x), ...)`, and which of the two operations' inputs it takes.
struct Fusion {
  AnyOp op;
  std::vector<FusedInput> inputs;
};

/// The same operation with constants that do the work of the next one too.
struct Fold {
  /// A slot, and what makes its new constant of the old one and of the next operation's other operand.
  std::vector<std::pair<int, AnyOp>> remade;
};

/// The same operation with its rung fixed, and for each input the operation that repacks it for
/// that rung (if any). The planner folds a repacked constant before the first run.
struct Lowering {
  AnyOp op;
  std::vector<std::optional<AnyOp>> repack;
  /// The slots of further inputs that every repacking operation reads after its own.
  std::vector<int> repack_reads = {};
};

/// The same operation on 8-bit integers in place of its input 0, perhaps of its output too. How they
/// stand for numbers, their code, is one more input each (engine/quantization.h).
struct Quantized {
  AnyOp op;
  AnyOp encode;   ///< makes input 0 from the f32 one and its code
  int code_slot;  ///< of the code of input 0; the output's follows
};

/// The same operation on f16 or bf16 in place of some of its f32 inputs; its dtype() is that type, or f32: on a CPU,
/// and of sums over images.
struct Narrowed {
  AnyOp op;
  std::uint32_t inputs;  ///< bit i: input i is of the type; others stay f32
  /// Worth a conversion of its inputs; others follow where an input is narrow already.
  bool leads = false;
};

/// The operation that computes some rows of y from some rows of its inputs, bit for bit what `op` on
/// the whole images has in those rows.
struct RowPart {
  AnyOp op;
  /// Of each input; {0, 0}: all of it, however many rows are computed.
  std::vector<RowRange> inputs;
  /// Parts must start at a multiple of this, or their bits would differ.
  int grid = 1;
};

/// The part of an operation that looks at no neighbours: inputs as high as y give the same rows, others
/// (vectors, single rows) are taken as they are.
inline RowPart same_rows(AnyOp op, const Shapes& in, int y_rows, RowRange y) {
  RowPart part{std::move(op), {}};
  for (const Shape& input : in) {
    part.inputs.push_back(input.h == y_rows && y_rows > 1 ? y : RowRange{});
  }
  return part;
}

/// Takes note of operations for the gradient.
class Tape {
 public:
  virtual ~Tape() = default;
  /// Returns `y` as a tensor that is on this tape. Placeholders are noted like other tensors.
  virtual Tensor record(const AnyOp& op, Inputs inputs, const Tensor& y) = 0;
};

/// Runs, tapes or traces `op`. Throws ShapeError if the inputs do not fit.
Tensor apply(const AnyOp& op, Inputs inputs);
inline Tensor apply(const AnyOp& op, std::initializer_list<Tensor> inputs) {
  return apply(op, Inputs(inputs.begin(), inputs.size()));
}
/// The same into y, of the operation's shape and type and on the device of the inputs; never traced or taped.
void apply_into(const AnyOp& op, Inputs inputs, Tensor& y);

Shapes shapes_of(Inputs inputs);

/// Throws UsageError, with `label` in front, if `op` does not run on `device`.
void check_runs_on(const AnyOp& op, const Device& device, const std::string& label = {});

}  // namespace mend

#include "engine/op_model.h"
