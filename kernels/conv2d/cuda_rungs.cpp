// The host's side of the CUDA rungs: what they refuse, their modelled time, and from op::Conv2d to a launch.
#include <fmt/format.h>

#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "kernels/conv2d/cuda_call.h"
#include "kernels/conv2d/cuda_stream_plan.h"
#include "kernels/conv2d/variant.h"
#include "kernels/cuda/machine.h"
#include "kernels/cuda/refuses.h"
#include "kernels/inputs.h"

namespace mend {
namespace {

void launch(void (*kernel)(const CudaConv2dCall& call), const op::Conv2d& op, Inputs inputs,
            const Tensor& y) {
  kernel(cuda_conv2d_call(op, inputs, y));
}

void launch_pack(void (*kernel)(const CudaConv2dPacking& packing), const Tensor& weight,
                 const Tensor& packed) {
  const CudaDevice& device = cuda_device(packed.device());
  device.make_current();
  kernel({weight, packed, device.stream()});
}

}  // namespace

CudaConv2dParameters cuda_parameters_of(const op::Conv2d& op, const Shape& slope) {
  return {op.kernel_h, op.kernel_w,     op.stride,     op.padding_h, op.padding_w, op.dilation,
          op.groups,   op.padding_mode, op.activation, op.scale,     slope.c == 1};
}

CudaConv2dCall cuda_conv2d_call(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  using Op = op::Conv2d;
  const CudaDevice& device = cuda_device(y.device());
  device.make_current();
  return {cuda_parameters_of(op, input_at(inputs, Op::kSlope).shape()),
          input_at(inputs, Op::kX),
          input_at(inputs, Op::kWeight),
          input_at(inputs, Op::kBias),
          input_at(inputs, Op::kSlope),
          input_at(inputs, Op::kResidual),
          y,
          device.stream(),
          device.info().multiprocessors};
}

Shape conv2d_cuda_tiled_packed_shape(const op::Conv2d& op, const Shape& weight) {
  return {op.kernel_h, op.kernel_w, weight.c, (op.outputs + 63) / 64 * 64};
}

Shape conv2d_cuda_mma_packed_shape(const op::Conv2d& op, const Shape& weight) {
  const int block = conv2d_cuda_mma_block(op.outputs);
  const int blocks = (op.outputs + block - 1) / block;
  const int depths = (weight.c + kConv2dCudaMmaDepth - 1) / kConv2dCudaMmaDepth;
  return {blocks, depths, op.kernel_h * op.kernel_w, block * kConv2dCudaMmaDepth};
}

double conv2d_cuda_naive_seconds(const op::Conv2d& op, const Shapes& in) {
  return op.cost(in).flops / 2 * (4 + 4) / NominalGpu::kCachedBytesPerSecond;  // two loads an FMA
}

std::string conv2d_cuda_tiled_refuses(const op::Conv2d& op, const Shapes&) {
  if (op.type != DType::kF32) return fmt::format("computes in f32, not {}", name_of(op.type));
  if (op.groups != 1) return "needs one group";
  constexpr std::size_t kMost = 48 << 10;  // what every GPU gives a block without being asked
  const std::size_t bytes = conv2d_cuda_tiled_shared_bytes(cuda_parameters_of(op, {}));
  if (bytes <= kMost) return {};
  return fmt::format("its tiles would take {} KB of shared memory, there are 48", bytes >> 10);
}

double conv2d_cuda_tiled_seconds(const op::Conv2d& op, const Shapes& in) {
  const int C = in[op::Conv2d::kX].c;
  const double waste = (op.outputs + 63) / 64 * 64.0 / op.outputs * ((C + 7) / 8 * 8.0 / C);
  return std::max(op.cost(in).flops * waste / (0.5 * NominalGpu::kFlopsPerSecond),
                  op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

namespace {

std::string refuses_others_than_3x3(const op::Conv2d& op) {
  if (op.kernel_h != 3 || op.kernel_w != 3) return "needs a 3x3 kernel";
  if (op.stride != 1 || op.dilation != 1) return "needs stride and dilation 1";
  if (op.groups != 1) return "needs one group";
  return {};
}

/// What the rungs on tensor cores refuse, besides types.
std::string refuses_3x3(const op::Conv2d& op) {
  const std::string reason = refuses_others_than_3x3(op);
  return reason.empty() ? refuses_before_ampere() : reason;
}

}  // namespace

std::string conv2d_cuda_winograd4_refuses(const op::Conv2d& op, const Shapes& in) {
  if (op.type != DType::kF32) return fmt::format("computes in f32, not {}", name_of(op.type));
  // With few channels the transforms cost about what they save, and accuracy is lost to them.
  constexpr int kFewest = 32;
  if (in[op::Conv2d::kX].c < kFewest) return "needs 32 input channels";
  return refuses_others_than_3x3(op);
}

/// By a thread's instructions, as the simulator counts them of 64 to 64 channels.
double conv2d_cuda_winograd4_seconds(const op::Conv2d& op, const Shapes& in) {
  constexpr int kChunk = kConv2dCudaWinograd4Chunk, kBlock = kConv2dCudaWinograd4Block;
  constexpr double kProduct = 36 * 1.23;         // of a tile, a channel, an output
  constexpr double kInput = 650, kOutput = 430;  // of a tile and a channel; of a tile and an output
  constexpr double kOfPeak = 0.7, kStart = 4e-6;  // barriers, the first patch: a guess
  const Shape& x = in[op::Conv2d::kX];
  const Shape y = op.shape(in);
  const double tiles = 16.0 * y.n * ((y.h + 15) / 16) * ((y.w + 15) / 16);
  const double C = (x.c + kChunk - 1) / kChunk * kChunk,
               blocks = (op.outputs + kBlock - 1) / kBlock;
  const double K = blocks * kBlock;
  const double instructions = tiles * (C * K * kProduct + C * blocks * kInput + K * kOutput);
  return kStart + std::max(instructions / (kOfPeak * NominalGpu::kFlopsPerSecond / 2),
                           op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

Shape conv2d_cuda_winograd4_packed_shape(const op::Conv2d& op, const Shape& weight) {
  constexpr int kChunk = kConv2dCudaWinograd4Chunk, kBlock = kConv2dCudaWinograd4Block;
  return {(op.outputs + kBlock - 1) / kBlock, (weight.c + kChunk - 1) / kChunk * kChunk,
          kConv2dCudaWinograd4Positions, kBlock};
}

std::string conv2d_cuda_mma_refuses(const op::Conv2d& op, const Shapes&) {
  if (op.type == DType::kF16 || op.type == DType::kBF16) return refuses_3x3(op);
  return fmt::format("computes in f16 or bf16, not {}", name_of(op.type));
}

std::string conv2d_cuda_f16_refuses(const op::Conv2d& op, const Shapes& in) {
  return conv2d_cuda_mma_refuses(op, in);
}

double conv2d_cuda_mma_seconds(const op::Conv2d& op, const Shapes& in) {
  const int block = conv2d_cuda_mma_block(op.outputs);
  const int C = in[op::Conv2d::kX].c;
  const double waste = (op.outputs + block - 1) / block * static_cast<double>(block) / op.outputs *
                       ((C + 15) / 16 * 16.0 / C);
  return CudaMmaRate::kWaveSeconds +
         std::max(op.cost(in).flops * waste / CudaMmaRate::kFlopsPerSecond,
                  op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

std::string conv2d_cuda_tf32_refuses(const op::Conv2d& op, const Shapes&) {
  if (op.type != DType::kF32) return fmt::format("computes in TF32, not {}", name_of(op.type));
  return refuses_3x3(op);
}

double conv2d_cuda_stream_seconds(const op::Conv2d& op, const Shapes& in) {
  constexpr CudaStreamLimits kNominal{132, 227 << 10};
  const int number_bytes = static_cast<int>(size_of(op.type));
  const CudaStreamPlan plan =
      conv2d_cuda_stream_plan(in[op::Conv2d::kX], op.shape(in), number_bytes, kNominal);
  return std::max(plan.seconds, op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

Shape conv2d_cuda_stream_packed_shape(const op::Conv2d& op, const Shape& weight) {
  const int number_bytes = static_cast<int>(size_of(op.type));
  const int depth = stream_depth(number_bytes);
  return {(weight.c + depth - 1) / depth, stream_groups(op.outputs, number_bytes), 1,
          kStreamGroupBytes / number_bytes};
}

std::string conv2d_cuda_tf32_gemm_refuses(const op::Conv2d& op, const Shapes&) {
  if (op.type != DType::kF32) return fmt::format("computes in TF32, not {}", name_of(op.type));
  if (op.groups != 1) return "needs one group";
  return refuses_before_ampere();
}

std::string conv2d_cuda_f16_gemm_refuses(const op::Conv2d& op, const Shapes&) {
  if (op.type == DType::kF32) return "computes in f16 and bf16";
  if (op.groups != 1) return "needs one group";
  return refuses_before_ampere();
}

double conv2d_cuda_gemm_seconds(const op::Conv2d& op, const Shapes& in) {
  const GemmProblem problem = conv2d_gemm_problem(cuda_parameters_of(op, {}), in[op::Conv2d::kX],
                                                  op.shape(in), size_of(op.type));
  return std::max(gemm_plan(problem).seconds, op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

Shape conv2d_cuda_gemm_packed_shape(const op::Conv2d& op, const Shape& weight) {
  const std::size_t number_bytes = size_of(op.type);
  return {conv2d_gemm_rows(op.outputs, number_bytes), op.kernel_h, op.kernel_w,
          conv2d_gemm_width(weight.c, number_bytes)};
}

std::string conv2d_cuda_depthwise_refuses(const op::Conv2d& op, const Shapes& in) {
  if (in[op::Conv2d::kX].c != op.groups || op.outputs != op.groups) {
    return "needs one input and one output channel in each group";
  }
  if (op.stride != 1 || op.dilation != 1) return "needs stride and dilation 1";
  if (op.kernel_h != op.kernel_w || op.kernel_h % 2 != 1 || op.kernel_h < 3 || op.kernel_h > 7) {
    return fmt::format("knows 3x3, 5x5 and 7x7, not {}x{}", op.kernel_h, op.kernel_w);
  }
  return refuses_before_ampere();
}

/// x once, and a tenth more where strips meet.
double conv2d_cuda_depthwise_seconds(const op::Conv2d& op, const Shapes& in) {
  return 1.1 * op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}

Shape conv2d_cuda_depthwise_packed_shape(const op::Conv2d& op, const Shape&) {
  return {1, op.kernel_h, op.kernel_w, (op.outputs + 3) / 4 * 4};
}

void conv2d_cuda_naive(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv2d_naive, op, inputs, y);
}
void conv2d_cuda_tiled(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv2d_tiled, op, inputs, y);
}
void conv2d_cuda_winograd4(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv2d_winograd4, op, inputs, y);
}
void conv2d_cuda_mma(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv2d_mma, op, inputs, y);
}
void conv2d_cuda_tf32(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv2d_tf32, op, inputs, y);
}
void conv2d_cuda_depthwise(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv2d_depthwise, op, inputs, y);
}
void conv2d_cuda_tf32_gemm(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv2d_tf32_gemm, op, inputs, y);
}
void conv2d_cuda_f16(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv2d_f16, op, inputs, y);
}
void conv2d_cuda_f16_gemm(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv2d_f16_gemm, op, inputs, y);
}

void conv2d_cuda_tiled_pack(const op::Conv2d&, const Tensor& weight, const Tensor& packed) {
  launch_pack(launch_conv2d_tiled_pack, weight, packed);
}
void conv2d_cuda_winograd4_pack(const op::Conv2d&, const Tensor& weight, const Tensor& packed) {
  launch_pack(launch_conv2d_winograd4_pack, weight, packed);
}
void conv2d_cuda_mma_pack(const op::Conv2d&, const Tensor& weight, const Tensor& packed) {
  launch_pack(launch_conv2d_mma_pack, weight, packed);
}
void conv2d_cuda_tf32_pack(const op::Conv2d&, const Tensor& weight, const Tensor& packed) {
  launch_pack(launch_conv2d_tf32_pack, weight, packed);
}
void conv2d_cuda_f16_pack(const op::Conv2d&, const Tensor& weight, const Tensor& packed) {
  launch_pack(launch_conv2d_f16_pack, weight, packed);
}
void conv2d_cuda_f16_gemm_pack(const op::Conv2d&, const Tensor& weight, const Tensor& packed) {
  launch_pack(launch_conv2d_f16_gemm_pack, weight, packed);
}
void conv2d_cuda_depthwise_pack(const op::Conv2d&, const Tensor& weight, const Tensor& packed) {
  launch_pack(launch_conv2d_depthwise_pack, weight, packed);
}
void conv2d_cuda_tf32_gemm_pack(const op::Conv2d&, const Tensor& weight, const Tensor& packed) {
  launch_pack(launch_conv2d_tf32_gemm_pack, weight, packed);
}

}  // namespace mend
