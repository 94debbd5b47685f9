// A block is a piece: its threads read side by side, and each has the loads of all its numbers under way
// before it computes the first. Compiled without contraction (CMakeLists.txt), for the CPU's bits.
#include <variant>

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/parameter_update/cuda.h"

namespace mend {
namespace {

constexpr int kThreads = kSquareLanes;
constexpr int kRun = kPieceNumbers / kThreads;  // numbers of a thread
static_assert(kRun * kThreads == kPieceNumbers);

template <class Rule>
__global__ void __launch_bounds__(kThreads) run_pieces(const TensorPiece* pieces, Rule rule) {
  const TensorPiece piece = pieces[blockIdx.x];
  float numbers[kRun][Rule::kArrays];
#pragma unroll
  for (int r = 0; r < kRun; ++r) {
    const int i = r * kThreads + static_cast<int>(threadIdx.x);
    if (i >= piece.count) continue;
#pragma unroll
    for (int a = 0; a < Rule::kArrays; ++a) numbers[r][a] = piece.arrays[a][i];
  }
#pragma unroll
  for (int r = 0; r < kRun; ++r) {
    const int i = r * kThreads + static_cast<int>(threadIdx.x);
    if (i >= piece.count) return;
    rule(numbers[r]);
#pragma unroll
    for (int a = 0; a < Rule::kArrays; ++a) {
      if ((Rule::kWritten & array_bit(a)) != 0) piece.arrays[a][i] = numbers[r][a];
    }
  }
}

/// Thread 0: the sum of what the threads of the block have, the upper half onto the lower.
__device__ double folded(double sum) {
  __shared__ double lanes[kSquareLanes];
  const int lane = static_cast<int>(threadIdx.x);
  lanes[lane] = sum;
  for (int half = kSquareLanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

__global__ void __launch_bounds__(kThreads) square_pieces(const TensorPiece* pieces, double* sums) {
  const TensorPiece piece = pieces[blockIdx.x];
  double sum = 0;
#pragma unroll
  for (int r = 0; r < kRun; ++r) {
    const int i = r * kThreads + static_cast<int>(threadIdx.x);
    if (i >= piece.count) break;
    const double number = piece.arrays[0][i];
    sum += number * number;
  }
  sum = folded(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

/// sums[count] = Σ sums[0, count), by one block.
__global__ void __launch_bounds__(kThreads) add_sums(double* sums, int count) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) sum += sums[i];
  sum = folded(sum);
  if (threadIdx.x == 0) sums[count] = sum;
}

}  // namespace

void for_each_number_cuda(const NumberRule& rule, const PieceSpan& pieces) {
  const CudaDevice& device = cuda_device(*pieces.device);
  device.make_current();
  std::visit(
      [&]<class Rule>(const Rule& of_kind) {
        run_pieces<<<pieces.count, kThreads, 0, device.stream()>>>(pieces.pieces, of_kind);
      },
      rule);
  cuda_check(cudaGetLastError(), "parameter_update");
}

void sum_squares_cuda(const PieceSpan& pieces, double* sums) {
  const CudaDevice& device = cuda_device(*pieces.device);
  device.make_current();
  square_pieces<<<pieces.count, kThreads, 0, device.stream()>>>(pieces.pieces, sums);
  add_sums<<<1, kThreads, 0, device.stream()>>>(sums, pieces.count);
  cuda_check(cudaGetLastError(), "gradient_norm");
}

}  // namespace mend
