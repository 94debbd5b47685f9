// What gradients of attention move: tokens of windows to matrices and back, masks, and rows of the table of
// biases. Memory bounds all of it: neighbouring threads have neighbouring numbers of y, 16 bytes each where
// pixels allow it, and every number of y is a gather, so nothing is added by two threads.
#include "kernels/attention/cuda.h"
#include "kernels/attention/cuda_tokens.cuh"
#include "kernels/cuda/gather_pixels.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

/// op::SplitWindows: window, head, token and channel -> what it copies.
struct TokenOfImage {
  View<const float> x;
  WindowTokens tokens;
  int depth;
  bool keys;

  __device__ const float* operator()(int window, int head, int token, int d) const {
    const WindowTokens::Group at = tokens.group(window);
    const TokenPixel pixel = keys ? tokens.key(at, token) : tokens.query(at, token);
    return pixel.outside ? nullptr : pixel_of(x, at.n, pixel.h, pixel.w) + head * depth + d;
  }
};

/// Windows [first, last] along one direction that see a pixel.
struct WindowSpan {
  int first, last;
};

/// Where a pixel lies in the windows of op::WindowAttention along one direction.
struct Side {
  int windows, window, shift, margin, key_window;
  bool dilated, wide;  ///< wide: key windows are larger
  FastDivider by_windows, by_window;

  Side(int extent, int window_size, int shift_by, int key_window_size, bool is_dilated,
       bool is_wide)
      : windows(extent / window_size),
        window(window_size),
        shift(shift_by),
        margin((key_window_size - window_size) / 2),
        key_window(key_window_size),
        dilated(is_dilated),
        wide(is_wide),
        by_windows(windows),
        by_window(window_size) {}

  __device__ WindowSpan seen_by(int at) const {
    if (wide) {
      const int before = at + margin - key_window + window;  // rounds up, from 0 on
      return {before < 0 ? 0 : by_window(before).quotient,
              min(windows - 1, by_window(at + margin).quotient)};
    }
    const int own = dilated ? by_windows(at).remainder : by_window(rolled(at)).quotient;
    return {own, own};
  }
  /// The pixel's row or column in window `i`.
  __device__ int place(int at, int i) const {
    if (wide) return at + margin - i * window;
    return dilated ? by_windows(at).quotient : rolled(at) - i * window;
  }

 private:
  __device__ int rolled(int at) const {
    return at < shift ? at - shift + windows * window : at - shift;
  }
};

/// op::MergeWindows; the windows of a pixel in their order, as the CPU adds them. Four blocks leave registers
/// for two Sides and the strides of both views.
template <class Unit>
__global__ void __launch_bounds__(kThreads, 4)
    merge_windows(View<const float> x, Side rows, Side columns, FastDivider by_depth, View<float> y,
                  UnitsOf units, int first_image) {
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  const auto [n, h, w, c] = units.place<kNumbers>(static_cast<int>(unit), first_image);
  const auto [head, d] = by_depth(c);
  const WindowSpan along_h = rows.seen_by(h), along_w = columns.seen_by(w);
  const int token_columns = columns.wide ? columns.key_window : columns.window;
  float sum[kNumbers] = {};
  for (int i = along_h.first; i <= along_h.last; ++i)
    for (int j = along_w.first; j <= along_w.last; ++j) {
      const int token = rows.place(h, i) * token_columns + columns.place(w, j);
      const int window = (n * rows.windows + i) * columns.windows + j;
      const Unit value = *reinterpret_cast<const Unit*>(pixel_of(x, window, head, token) + d);
#pragma unroll
      for (int e = 0; e < kNumbers; ++e) sum[e] += reinterpret_cast<const float*>(&value)[e];
    }
  Unit result;
#pragma unroll
  for (int e = 0; e < kNumbers; ++e) reinterpret_cast<float*>(&result)[e] = sum[e];
  *reinterpret_cast<Unit*>(pixel_of(y, n, h, w) + c) = result;
}

/// op::MaskWindows.
template <class Unit>
__global__ void __launch_bounds__(kThreads)
    mask_windows(View<const float> x, WindowTokens tokens, View<float> y, UnitsOf units,
                 int first_window) {
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  const auto [window, head, query, key] =
      units.place<kNumbers>(static_cast<int>(unit), first_window);
  const WindowTokens::Group at = tokens.group(window);
  Unit value = *reinterpret_cast<const Unit*>(pixel_of(x, window, head, query) + key);
  if (tokens.is_masked(at)) {
    const int own = tokens.region(at, query);
#pragma unroll
    for (int e = 0; e < kNumbers; ++e) {
      if (tokens.region(at, key + e) != own) {
        reinterpret_cast<float*>(&value)[e] += tokens.mask();
      }
    }
  }
  *reinterpret_cast<Unit*>(pixel_of(y, window, head, query) + key) = value;
}

/// op::GatherBias; NaN where the index is no row of the table.
__global__ void __launch_bounds__(kThreads)
    gather_bias(View<const float> table, View<const float> index, View<float> y, UnitsOf units,
                int first) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  const auto [n, head, key, query] = units.place<1>(static_cast<int>(unit), first);
  const float entry = pixel_of(index, 0, 0, query)[key];
  const int entries = table.shape.w, row = static_cast<int>(entry);
  const bool is_row = entry == static_cast<float>(row) && row >= -entries && row < entries;
  pixel_of(y, n, head, key)[query] =
      is_row ? pixel_of(table, 0, 0, row < 0 ? row + entries : row)[head] : NAN;
}

constexpr int kHeads = 8;  ///< whose sums a thread has

/// op::GatherBiasGradient: a block for each row of the table and kHeads heads. It looks through the whole
/// index, which few tokens have little of, and adds where its row stands: in double, in one order.
__global__ void __launch_bounds__(kThreads)
    sum_bias_gradient(View<const float> dy, View<const float> index, FastDivider by_keys,
                      View<float> y) {
  __shared__ double shared[kThreads];
  const int entries = y.shape.w, heads = y.shape.c;
  const int entry = blockIdx.x, first_head = blockIdx.y * kHeads;
  const int count = index.shape.w * index.shape.c;
  double sums[kHeads] = {};
  for (int i = threadIdx.x; i < count; i += kThreads) {
    const auto [query, key] = by_keys(i);
    const int row = static_cast<int>(pixel_of(index, 0, 0, query)[key]);
    if ((row < 0 ? row + entries : row) != entry) continue;
#pragma unroll
    for (int h = 0; h < kHeads; ++h) {
      if (first_head + h < heads) sums[h] += pixel_of(dy, 0, first_head + h, key)[query];
    }
  }
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
    if (first_head + h >= heads) return;
    shared[threadIdx.x] = sums[h];
    for (int half = kThreads / 2; half > 0; half /= 2) {
      __syncthreads();
      if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    }
    if (threadIdx.x == 0) {
      pixel_of(y, 0, 0, entry)[first_head + h] = static_cast<float>(shared[0]);
    }
    __syncthreads();
  }
}

/// Whether 16 bytes of x and y can be moved at once, when `channels` are those of a pixel.
bool moves_packs(const View<const float>& x, const View<float>& y, int channels) {
  return packs(x) && packs(y) && channels % Pack<float>::kCount == 0;
}

}  // namespace

void launch_split_windows(const CudaWindows& windows, bool keys, const View<const float>& x,
                          const View<float>& y, cudaStream_t stream) {
  const int depth = y.shape.c;
  launch_gather_pixels(TokenOfImage{x, WindowTokens(windows, x.shape), depth, keys},
                       packs(x) && depth % Pack<float>::kCount == 0, y, 0.0f, stream,
                       "split_windows/cuda");
}

void launch_merge_windows(const CudaWindows& windows, bool keys, const View<const float>& x,
                          const View<float>& y, cudaStream_t stream) {
  const bool wide = keys && (windows.key_window_h != windows.window_h ||
                             windows.key_window_w != windows.window_w);
  const Side rows(y.shape.h, windows.window_h, windows.shift_h, windows.key_window_h,
                  windows.dilated, wide);
  const Side columns(y.shape.w, windows.window_w, windows.shift_w, windows.key_window_w,
                     windows.dilated, wide);
  const bool by_packs = moves_packs(x, y, x.shape.c);
  const FastDivider by_depth(x.shape.c);
  for_each_launch(y.shape, by_packs ? 4 : 1, kThreads, [&](unsigned blocks, UnitsOf units, int n) {
    if (by_packs) {
      merge_windows<Pack<float>>
          <<<blocks, kThreads, 0, stream>>>(x, rows, columns, by_depth, y, units, n);
    } else {
      merge_windows<float>
          <<<blocks, kThreads, 0, stream>>>(x, rows, columns, by_depth, y, units, n);
    }
    cuda_check(cudaGetLastError(), "merge_windows/cuda");
  });
}

void launch_mask_windows(const CudaWindows& windows, int height, int width,
                         const View<const float>& x, const View<float>& y, cudaStream_t stream) {
  const WindowTokens tokens(windows, {1, height, width, 1});
  const bool by_packs = moves_packs(x, y, y.shape.c);
  for_each_launch(y.shape, by_packs ? 4 : 1, kThreads, [&](unsigned blocks, UnitsOf units, int n) {
    if (by_packs) {
      mask_windows<Pack<float>><<<blocks, kThreads, 0, stream>>>(x, tokens, y, units, n);
    } else {
      mask_windows<float><<<blocks, kThreads, 0, stream>>>(x, tokens, y, units, n);
    }
    cuda_check(cudaGetLastError(), "mask_windows/cuda");
  });
}

void launch_gather_bias(const View<const float>& table, const View<const float>& index,
                        const View<float>& y, cudaStream_t stream) {
  for_each_launch(y.shape, 1, kThreads, [&](unsigned blocks, UnitsOf units, int n) {
    gather_bias<<<blocks, kThreads, 0, stream>>>(table, index, y, units, n);
    cuda_check(cudaGetLastError(), "gather_bias/cuda");
  });
}

void launch_gather_bias_gradient(const View<const float>& dy, const View<const float>& index,
                                 const View<float>& y, cudaStream_t stream) {
  const dim3 blocks(static_cast<unsigned>(y.shape.w),
                    static_cast<unsigned>((y.shape.c + kHeads - 1) / kHeads));
  sum_bias_gradient<<<blocks, kThreads, 0, stream>>>(dy, index, FastDivider(index.shape.c), y);
  cuda_check(cudaGetLastError(), "gather_bias_gradient/cuda");
}

}  // namespace mend
