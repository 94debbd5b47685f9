// The gradient of a maximum in two steps: where each window's largest number lies, then, for each pixel, the sum
// over the windows that it lies in and is the largest of. Nothing is added up by atomics, so the bits are the
// same on every run, and the CPU's.
#include "engine/cuda/check.h"
#include "kernels/cuda/units.cuh"
#include "kernels/pool/cuda.h"
#include "kernels/pool/cuda_window.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256, kLanes = 32, kMembers = kThreads / kLanes;
constexpr int kSmallWindow = 64;  ///< pixels that one thread goes through

/// A number and its place, row by row; the first of equals stays.
struct Candidate {
  float value;
  int place;

  __device__ void meet(const Candidate& other) {
    const bool loses = other.value > value || (other.value == value && other.place < place);
    if (loses) *this = other;
  }
};

/// Every `step`-th pixel of a window from `begin` on, of one channel of an image.
__device__ Candidate largest(const View<const float>& x, int n, int c, PoolSpan rows,
                             PoolSpan columns, int begin, int step) {
  int h = rows.first, w = columns.first;
  const auto go_on = [&](int pixels) {  // without a division for each pixel
    for (w += pixels; w >= columns.last; ++h) w -= columns.last - columns.first;
  };
  const auto here = [&] { return Candidate{pixel_of(x, n, h, w)[c], h * x.shape.w + w}; };
  const int pixels = (rows.last - rows.first) * (columns.last - columns.first);
  go_on(min(begin, pixels - 1));  // a window at the edge may have fewer than threads
  Candidate best = here();
  for (int i = begin + step; i < pixels; i += step) {
    go_on(step);
    best.meet(here());
  }
  return best;
}

/// places: [N,P,Q,C], one a thread.
template <class Windows>
__global__ void __launch_bounds__(kThreads)
    find_largest(Windows windows, View<const float> x, int P, int Q, UnitsOf units, int first_image,
                 int* places) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  const auto [n, p, q, c] = units.place<1>(static_cast<int>(unit), first_image);
  const Candidate best = largest(x, n, c, windows(p, P, x.shape.h), windows(q, Q, x.shape.w), 0, 1);
  places[((std::int64_t{n} * P + p) * Q + q) * x.shape.c + c] = best.place;
}

/// The same by a block for each window and 32 channels: eight threads a channel.
template <class Windows>
__global__ void __launch_bounds__(kThreads)
    find_largest_together(Windows windows, View<const float> x, int P, int Q, int* places) {
  __shared__ Candidate shared[kMembers][kLanes];
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int member = static_cast<int>(threadIdx.x) / kLanes;
  const int c = static_cast<int>(blockIdx.y) * kLanes + lane;
  const int q = static_cast<int>(blockIdx.x % Q), p = static_cast<int>(blockIdx.x / Q % P);
  const int n = static_cast<int>(blockIdx.x / Q / P);
  const bool busy = c < x.shape.c;
  if (busy) {
    shared[member][lane] =
        largest(x, n, c, windows(p, P, x.shape.h), windows(q, Q, x.shape.w), member, kMembers);
  }
  __syncthreads();
  if (!busy || member != 0) return;
  Candidate best = shared[0][lane];
#pragma unroll
  for (int i = 1; i < kMembers; ++i) best.meet(shared[i][lane]);
  places[std::int64_t{blockIdx.x} * x.shape.c + c] = best.place;
}

template <class Windows>
__global__ void __launch_bounds__(kThreads)
    give_to_largest(Windows windows, const int* places, View<const float> dy, View<float> y,
                    UnitsOf units, int first_image) {
  const std::int64_t unit = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (unit >= units.count) return;
  const auto [n, h, w, c] = units.place<1>(static_cast<int>(unit), first_image);
  const int P = dy.shape.h, Q = dy.shape.w, place = h * y.shape.w + w;
  const PoolSpan rows = windows.covering(h, P, y.shape.h);
  const PoolSpan columns = windows.covering(w, Q, y.shape.w);
  float sum = 0;
  for (int p = rows.first; p < rows.last; ++p)
    for (int q = columns.first; q < columns.last; ++q) {
      const std::int64_t window = (std::int64_t{n} * P + p) * Q + q;
      if (places[window * y.shape.c + c] == place) sum += pixel_of(dy, n, p, q)[c];
    }
  pixel_of(y, n, h, w)[c] = sum;
}

template <class Windows>
void launch(Windows windows, const View<const float>& x, const View<const float>& dy, int* places,
            const View<float>& y, cudaStream_t stream) {
  constexpr auto kName = "max_gradient/cuda";
  const int P = dy.shape.h, Q = dy.shape.w;
  if (windows.most_rows(P, x.shape.h) * windows.most_rows(Q, x.shape.w) <= kSmallWindow) {
    for_each_launch(dy.shape, 1, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
      find_largest<<<blocks, kThreads, 0, stream>>>(windows, x, P, Q, units, first, places);
      cuda_check(cudaGetLastError(), kName);
    });
  } else {
    const dim3 blocks(static_cast<unsigned>(dy.shape.pixels()),
                      static_cast<unsigned>((x.shape.c + kLanes - 1) / kLanes));
    find_largest_together<<<blocks, kThreads, 0, stream>>>(windows, x, P, Q, places);
    cuda_check(cudaGetLastError(), kName);
  }
  for_each_launch(y.shape, 1, kThreads, [&](unsigned blocks, UnitsOf units, int first) {
    give_to_largest<<<blocks, kThreads, 0, stream>>>(windows, places, dy, y, units, first);
    cuda_check(cudaGetLastError(), kName);
  });
}

}  // namespace

void launch_max_gradient(int kernel, int stride, int padding, const View<const float>& x,
                         const View<const float>& dy, int* places, const View<float>& y,
                         cudaStream_t stream) {
  launch(PoolWindows{kernel, stride, padding}, x, dy, places, y, stream);
}

void launch_adaptive_max_gradient(const View<const float>& x, const View<const float>& dy,
                                  int* places, const View<float>& y, cudaStream_t stream) {
  launch(AdaptiveWindows{}, x, dy, places, y, stream);
}

}  // namespace mend
