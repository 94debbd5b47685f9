// Attention: weighted means of values, the weights from how well keys fit queries.
//
// All three operations fuse the product q·k, the softmax and the product with v; the scores never
// leave the cache. A plan joins window attention with the layers around it: kernels/window_block.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/narrow.h"

namespace mend {

/// What two pixels of one window that the cyclic shift brought together from opposite edges of the
/// image have added to their score.
enum class WindowMask {
  kNone,
  kMinus100,       // Swin, SwinIR, HAT, DAT, Uformer
  kMinusInfinity,  // SCUNet: the masks differ in the value alone
};

namespace op {

/// Multi-head attention among the pixels of each window (Liu et al. 2021, arXiv:2103.14030).
///
///   score[q,k] = scale · Σ_d Q[q,d] · K[k,d] + bias[k,q] + mask[q,k]     for each window and head
///   Y[q,:] = Σ_k softmax_k(score[q,:])[k] · V[k,:]
///
/// q, k, v [N,H,W,C], channel slices of one tensor or not; head i has the channels
/// [i·C/heads, (i+1)·C/heads). bias [1,heads,keys,queries] as GatherBias makes it, or absent
/// -> y [N,H,W,C].
/// Windows tile the image from its corner. With a shift they tile the image rolled by −shift
/// (cyclically, up and to the left), and y is rolled back: partition and shift are addresses, nothing
/// is copied. `mask` keeps apart what was not neighbouring before the roll.
/// Dilated windows hold pixels H/window_h rows and W/window_w columns apart (Omni-SR's grid).
/// Keys and values can come from larger windows of kv_window_h x kv_window_w around the same centre
/// (HAT's overlapping cross-attention, Chen et al. 2023, arXiv:2205.04437); outside the image they
/// are 0 and count like others.
/// Throws ShapeError if H and W are no multiples of the window, heads does not divide C, q, k, v
/// disagree, the bias has other extents, kv windows are smaller or stick out unevenly, or shift,
/// dilation and larger kv windows are combined.
/// Tokens in a window go row by row. Q is scaled by `scale`, usually (C/heads)^-0.5.
struct WindowAttention {
  static constexpr std::string_view kName = "window_attention";
  static constexpr bool kOnGpu = true;
  enum Slot { kQ, kK, kV, kBias };

  int window_h = 8, window_w = 8;
  int shift_h = 0, shift_w = 0;  ///< in [0, window)
  int heads = 1;
  float scale = 1.0f;
  WindowMask mask = WindowMask::kNone;
  bool dilated = false;
  int kv_window_h = 0, kv_window_w = 0;  ///< 0: as the window
  /// Of q, k, v and y: f32, or on a GPU f16 or bf16. The scores are f32.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;

  int key_window_h() const { return kv_window_h == 0 ? window_h : kv_window_h; }
  int key_window_w() const { return kv_window_w == 0 ? window_w : kv_window_w; }
  /// Tokens in a window: of q, and of k and v.
  int queries() const { return window_h * window_w; }
  int keys() const { return key_window_h() * key_window_w(); }
};

/// The bias of a window's scores, from a table with one row for each relative position.
///
///   y[0,head,k,q] = table[0,0,index[0,0,q,k],head]
///
/// table [1,1,entries,heads]   index [1,1,queries,keys], whole numbers in [-entries, entries);
/// negative ones count from the end, as in Python (HAT's checkpoints have such)
/// -> y [1,heads,keys,queries]: queries side by side, as the attention kernels take them.
/// Both are constants, so a plan does this once; the table of a network in training is none. Throws
/// ShapeError if table or index is no matrix, CheckpointError if an index lies outside the table: on a
/// GPU, which cannot throw, its y is NaN.
struct GatherBias {
  static constexpr std::string_view kName = "gather_bias";
  static constexpr bool kOnGpu = true;
  enum Slot { kTable, kIndex };

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// Multi-head attention of all queries to all keys of the same n and h
/// (Vaswani et al. 2017, arXiv:1706.03762).
///
///   score[q,k] = scale · Σ_d Q[q,d] · K[k,d]           for each n, h and head
///   Y[q,:] = Σ_k softmax_k(score[q,:])[k] · V[k,:]
///
/// q [N,H,Tq,C]   k [N,H,Tk,C]   v [N,H,Tk,Cv] -> y [N,H,Tq,Cv]. Head i has the channels
/// [i·C/heads, (i+1)·C/heads) of q and k, and those of Cv likewise.
/// For an image as one row of tokens see op::Reshape. Throws ShapeError if extents disagree or
/// heads does not divide C and Cv. Equals scaled_dot_product_attention for each head.
struct Attention {
  static constexpr std::string_view kName = "attention";
  static constexpr bool kOnGpu = true;
  enum Slot { kQ, kK, kV };

  int heads = 1;
  float scale = 1.0f;
  /// As op::WindowAttention's.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;
};

/// Transposed attention: channels attend to channels, over all pixels of an image.
/// MDTA of Restormer (Zamir et al. 2022, arXiv:2111.09881, equation 1).
///
///   score[i,j] = temperature · Σ_p q[p,i] · k[p,j] / (|q_i| · |k_j|)     for each n and head
///   |q_i| = max(√(Σ_p q[p,i]²), 1e-12),  |k_j| likewise
///   y[p,i] = Σ_j softmax_j(score[i,:])[j] · v[p,j]
///
/// q, k, v [N,H,W,C]   temperature [1,1,1,heads] -> y [N,H,W,C]; i and j run over the channels of a
/// head. Throws ShapeError if extents disagree or heads does not divide C.
/// RetinexFormer's IG-MSA has its scores transposed: give it the keys as q and the queries as k.
/// Sums over pixels are cut and added in an order that depends on the shape alone.
struct ChannelAttention {
  static constexpr std::string_view kName = "channel_attention";
  static constexpr bool kOnGpu = true;
  enum Slot { kQ, kK, kV, kTemperature };

  int heads = 1;
  /// Of q, k, v and y: f32, f16 or bf16.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to, DeviceKind device) const;
};

}  // namespace op

/// Where tokens of a window stand relative to each other: the index [1,1,queries,keys] of Swin,
/// (dy + window_h − 1)·(2·window_w − 1) + dx + window_w − 1 with (dy, dx) = query − key. Its table
/// has (2·window_h − 1)·(2·window_w − 1) entries.
Tensor relative_position_index(int window_h, int window_w);

/// The index of HAT's overlapping cross-attention, keys from square windows of kv_window,
/// (dy + window − kv_window + 1)·(window + kv_window − 1) + dx + window − kv_window + 1 with
/// (dy, dx) = key − query. Its table has (window + kv_window − 1)² entries. The offset is that of the
/// official code; it makes some indices negative, which the official code then counts from the end.
Tensor overlapping_position_index(int window, int kv_window);

/// Operands of one attention on images of T; an absent bias has no data.
template <class T>
struct TypedAttentionCall {
  View<const T> q, k, v;
  View<const float> bias;
  View<T> y;
  Scratch scratch;
};
using AttentionCall = TypedAttentionCall<float>;
template <class T>
using WindowAttentionFunction = void (*)(const op::WindowAttention& op,
                                         const TypedAttentionCall<T>& call);
using WindowAttentionKernel = ByType<WindowAttentionFunction>;
template <class T>
using AttentionFunction = void (*)(const op::Attention& op, const TypedAttentionCall<T>& call);
using AttentionKernel = ByType<AttentionFunction>;
/// The bias is the temperature here.
template <class T>
using ChannelAttentionFunction = void (*)(const op::ChannelAttention& op,
                                          const TypedAttentionCall<T>& call);
using ChannelAttentionKernel = ByType<ChannelAttentionFunction>;

using GatherBiasKernel = void (*)(const op::GatherBias& op, View<const float> table,
                                  View<const float> index, View<float> y);

std::span<const Variant<op::WindowAttention, WindowAttentionKernel>> window_attention_ladder();
std::span<const Variant<op::Attention, AttentionKernel>> attention_ladder();
std::span<const Variant<op::ChannelAttention, ChannelAttentionKernel>> channel_attention_ladder();
std::span<const Variant<op::GatherBias, GatherBiasKernel>> gather_bias_ladder();

}  // namespace mend
