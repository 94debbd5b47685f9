// The host's side of the CUDA rungs.
#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "kernels/pool/cuda.h"
#include "kernels/pool/variants.h"

namespace mend {

void pool_cuda(const op::Pool& pool, View<const float> x, View<float> y) {
  launch_pool(pool.kind, pool.kernel, pool.stride, pool.padding, x, y,
              current_cuda_device().stream());
}

void adaptive_pool_cuda(const op::AdaptivePool& pool, View<const float> x, View<float> y, Scratch) {
  constexpr std::int64_t kSmall = 64;    // pixels that one thread reads
  constexpr std::int64_t kSlice = 1024;  // at least so many pixels are worth a block
  constexpr std::int64_t kBlocks =
      528;  // 4 for each multiprocessor of the largest GPU; on all of them,
            // or the bits would differ
  CudaDevice& device = current_cuda_device();
  const Shape &s = x.shape, &t = y.shape;
  const std::int64_t pixels = std::int64_t{s.h / t.h + 1} * (s.w / t.w + 1);
  if (pixels <= kSmall) return launch_adaptive_pool(pool.kind, x, y, device.stream());
  const std::int64_t groups = t.pixels() * ((s.c + 31) / 32);
  const auto slices = static_cast<int>(
      std::clamp<std::int64_t>(kBlocks / groups, 1, std::max<std::int64_t>(1, pixels / kSlice)));
  const Tensor partial =
      Tensor::empty({t.n, t.h * t.w, slices, t.c * 2}, DType::kF32, device);  // doubles
  launch_adaptive_pool_slices(pool.kind, x, reinterpret_cast<double*>(partial.storage()->data()),
                              slices, y, device.stream());
}

}  // namespace mend
