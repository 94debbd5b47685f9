// Weighted sums over a few rows times a few columns, on the GPU: resampling, and the gradients of it, of
// means and of padding.
//
//   y[n,p,q,c] = Σ_h Σ_w rows(p,h) · columns(q,w) · x[n,h,w,c]
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace mend {

class TransposedTaps;  // kernels/separable_gradient.h

/// One input row (or column) and its weight.
struct SeparableTap {
  int index;
  float weight;
};

/// One axis: which inputs every output is made of.
class SeparableAxis {
 public:
  /// A tap of the output that is being described.
  void add(int index, double weight) { taps_.push_back({index, static_cast<float>(weight)}); }
  /// On to the next output.
  void finish_output() { start_.push_back(static_cast<int>(taps_.size())); }

  const std::vector<int>& start() const { return start_; }
  const std::vector<SeparableTap>& taps() const { return taps_; }

 private:
  std::vector<int> start_ = {0};  ///< output i has the taps [start[i], start[i + 1])
  std::vector<SeparableTap> taps_;
};

/// An axis on the device; null taps: output i is input i.
struct SeparableAxisOnGpu {
  const int* start;
  const SeparableTap* taps;
};

/// An axis in the current GPU's memory, where it is kept for the next call.
class KeptAxis {
 public:
  /// `key` says all that the axis depends on; `make` is called if none is kept under it.
  KeptAxis(const std::string& key, int outputs, const std::function<SeparableAxis()>& make);
  /// The axis of a gradient: its outputs are the inputs of what it is the gradient of.
  static KeptAxis of_gradient(const std::string& key, int inputs,
                              const std::function<TransposedTaps()>& make);

  SeparableAxisOnGpu on_gpu() const;

 private:
  Tensor table_;
  int outputs_;
};

/// All products of an output by one thread: for few taps. x and y are f32, f16 or bf16.
template <class T>
void separable_cuda_direct(const KeptAxis& rows, const KeptAxis& columns, View<const T> x,
                           View<T> y);
/// Rows first, into an f32 image as high as y and as wide as x, then columns.
template <class T>
void separable_cuda_two_pass(const KeptAxis& rows, const KeptAxis& columns, View<const T> x,
                             View<T> y);

/// Modelled seconds of the two, with so many taps an output at most.
double separable_cuda_direct_seconds(const Shape& x, const Shape& y, int rows, int columns);
double separable_cuda_two_pass_seconds(const Shape& x, const Shape& y, int rows, int columns);

template <class X, class Y>
void launch_separable(SeparableAxisOnGpu rows, SeparableAxisOnGpu columns, const View<const X>& x,
                      const View<Y>& y, cudaStream_t stream);

}  // namespace mend
