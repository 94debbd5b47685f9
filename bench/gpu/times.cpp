// How long the GPU's kernels take, in a GPU's own time: launches are captured into a graph and replayed, so
// that the host's part does not count.
//
//   mend_gpu_times            every case, a line of JSON each
//   mend_gpu_times WORD       those with WORD in their names
//
// On the simulator the times mean nothing, but the program runs.
#include "bench/gpu/times.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "bench/one_op.h"
#include "engine/cuda/cuda_device.h"
#include "engine/error.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/gradient.h"
#include "kernels/conv2d/variant.h"
#include "kernels/matmul/matmul.h"

namespace mend {
namespace {

constexpr int kLaunches = 20;  // in a graph
constexpr int kReplays = 15;   // the median of these

}  // namespace

double seconds_of(const std::function<void()>& launch) {
  CudaDevice& device = cuda_device(gpu(0));
  device.make_current();
  launch();  // loads the code, and fills the allocator's cache
  device.synchronize();
  const Recorded graph = device.record([&] {
    for (int i = 0; i < kLaunches; ++i) launch();
  });
  if (graph.recording == nullptr) throw DeviceError(graph.refusal);
  cudaEvent_t begin = nullptr, end = nullptr;
  cuda_check(cudaEventCreate(&begin), "making an event");
  cuda_check(cudaEventCreate(&end), "making an event");
  std::vector<double> seconds;
  for (int i = 0; i <= kReplays; ++i) {
    cuda_check(cudaEventRecord(begin, device.stream()), "an event");
    graph.recording->replay();
    cuda_check(cudaEventRecord(end, device.stream()), "an event");
    device.synchronize();
    float milliseconds = 0;
    cuda_check(cudaEventElapsedTime(&milliseconds, begin, end), "timing");
    if (i > 0) seconds.push_back(milliseconds * 1e-3 / kLaunches);  // the first one warms up
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::nth_element(seconds.begin(), seconds.begin() + kReplays / 2, seconds.end());
  return seconds[kReplays / 2];
}

void report(const std::string& name, double seconds, const Cost& cost) {
  fmt::print("{{\"case\": \"{}\", \"us\": {:.2f}, \"tflops\": {:.1f}, \"gb_per_s\": {:.0f}}}\n",
             name, seconds * 1e6, cost.flops / seconds * 1e-12, cost.bytes / seconds * 1e-9);
  std::fflush(stdout);
}

namespace {

struct Layer {
  int n, side, C, K, kernel = 3, stride = 1, groups = 1;

  std::string name() const {
    const bool is_usual = kernel == 3 && stride == 1 && groups == 1;
    const std::string kind =
        fmt::format("/{}x{}{}{}", kernel, kernel, stride == 2 ? "s2" : "", groups > 1 ? "dw" : "");
    return fmt::format("{}to{}/{}x{}x{}{}", C, K, n, side, side, is_usual ? "" : kind);
  }
  op::Conv2d conv() const {
    op::Conv2d op;
    op.kernel_h = op.kernel_w = kernel;
    op.stride = stride;
    op.groups = groups;
    op.padding_h = op.padding_w = kernel % 2 == 1 ? kernel / 2 : 0;
    op.outputs = K;
    return op;
  }
};

// Pictures one at a time, and the layers of the default weights' trainings; then what transformers and NAFNet
// are made of: 1x1, depthwise, downsampling.
constexpr Layer kLayers[] = {
    {1, 128, 64, 64},
    {1, 512, 64, 64},
    {1, 256, 192, 64},
    {1, 128, 64, 3},
    {16, 64, 24, 24},
    {16, 64, 3, 24},
    {16, 64, 24, 3},
    {16, 32, 48, 48},
    {16, 16, 64, 64},
    {16, 8, 64, 64},
    {16, 48, 48, 48},
    {16, 48, 3, 48},
    {16, 48, 48, 12},
    {16, 64, 24, 48, 2, 2},
    {1, 256, 64, 128, 1},
    {1, 256, 64, 64, 1},
    {1, 128, 180, 540, 1},
    {1, 128, 360, 180, 1},
    {1, 32, 512, 1024, 1},
    {16, 64, 32, 64, 1},
    {1, 256, 64, 128, 2, 2},
    {1, 256, 64, 128, 3, 2},
    {1, 256, 128, 128, 3, 1, 128},
    {1, 512, 96, 96, 3, 1, 96},
    {16, 64, 64, 64, 3, 1, 64},
    {1, 128, 128, 128, 5, 1, 128},
};

/// A batch of products [rows, inner] x [inner, columns].
struct Product {
  int batch, rows, inner, columns;
  op::Matmul matmul = {};
};

// Square ones; attention over channels, whose sums run over all pixels; a linear layer of a computed weight.
constexpr Product kProducts[] = {
    {1, 2048, 2048, 2048}, {1, 1024, 1024, 1024, {false, true}}, {8, 48, 65536, 48, {true, false}},
    {8, 65536, 48, 48},    {1024, 64, 30, 64, {false, true}},
};

Tensor on_gpu(const Shape& shape, DType type) {
  // Random numbers: zeros would take less power, and time.
  const Tensor x = bench::wave(shape, type == DType::kF32 ? 1.0f : 0.25f).on(gpu(0));
  if (type == DType::kF32) return x;
  const Tensor narrow = Tensor::empty(shape, type);
  const Tensor host = bench::wave(shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const float value = host.view<const float>().data[i];
    if (type == DType::kF16) narrow.view<Half>().data[i] = to_half(value);
    if (type == DType::kBF16) narrow.view<BFloat16>().data[i] = to_bfloat16(value);
  }
  return narrow.on(gpu(0));
}

void time_convolutions(const std::string& word) {
  for (const Layer& layer : kLayers)
    for (const DType type : {DType::kF32, DType::kF16})
      for (const Conv2dVariant& rung : conv2d_ladder()) {
        op::Conv2d op = layer.conv();
        op.type = type;
        const Shapes in{{layer.n, layer.side, layer.side, layer.C},
                        {layer.K, layer.kernel, layer.kernel, layer.C / layer.groups}};
        const std::string name = fmt::format("{}/{}/{}", rung.name, layer.name(), name_of(type));
        if (rung.device != DeviceKind::kCuda) continue;
        // cuDNN's run only where they are.
        force_variant(std::string(op.kName), std::string(rung.name.substr(op.kName.size() + 1)));
        const bool can = rung.refuses(op, in).empty();
        clear_forced_variants();
        if (!can || name.find(word) == std::string::npos) continue;
        const Cost cost = op.cost(in);
        op.variant = &rung;
        const Tensor x = on_gpu(in[0], type);
        Tensor weight = bench::constant(in[1]).on(gpu(0));
        if (rung.kernel.packs()) weight = mend::apply(op::PackConv2dWeight{op}, {weight});
        const Tensors inputs{x, weight};
        const Tensor y = mend::apply(op, Inputs(inputs));
        report(name, seconds_of([&] { op.forward(inputs, y, {}); }), cost);
      }
}

void time_weight_gradients(const std::string& word) {
  for (const Layer& layer : kLayers)
    for (const Conv2dWeightGradientVariant& rung : conv2d_weight_gradient_ladder()) {
      const op::Conv2d conv = layer.conv();
      op::Conv2dWeightGradient op;
      op.kernel_h = op.kernel_w = layer.kernel;
      op.stride = layer.stride;
      op.groups = layer.groups;
      op.padding_h = op.padding_w = conv.padding_h;
      const Shape x{layer.n, layer.side, layer.side, layer.C};
      const Shapes in{
          x, conv.shape({x, {layer.K, layer.kernel, layer.kernel, layer.C / layer.groups}})};
      const std::string name = fmt::format("{}/{}", rung.name, layer.name());
      if (rung.device != DeviceKind::kCuda || !rung.refuses(op, in).empty()) continue;
      if (name.find(word) == std::string::npos) continue;
      force_variant(std::string(op.kName), std::string(rung.name.substr(op.kName.size() + 1)));
      const Tensors inputs{on_gpu(in[0], DType::kF32), on_gpu(in[1], DType::kF32)};
      const Tensor y = mend::apply(op, Inputs(inputs));
      report(name, seconds_of([&] { op.forward(inputs, y, {}); }), op.cost(in));
      clear_forced_variants();
    }
}

void time_products(const std::string& word) {
  for (const Product& p : kProducts)
    for (const auto& rung : matmul_ladder()) {
      const bool ta = p.matmul.transpose_a, tb = p.matmul.transpose_b;
      const Shapes in{{p.batch, 1, ta ? p.inner : p.rows, ta ? p.rows : p.inner},
                      {p.batch, 1, tb ? p.columns : p.inner, tb ? p.inner : p.columns}};
      const std::string name = fmt::format("{}/{}x{}x{}x{}/{}", rung.name, p.batch, p.rows, p.inner,
                                           p.columns, p.matmul.describe());
      if (rung.device != DeviceKind::kCuda || !rung.refuses(p.matmul, in).empty()) continue;
      if (name.find(word) == std::string::npos) continue;
      const Tensor a = on_gpu(in[0], DType::kF32), b = on_gpu(in[1], DType::kF32);
      const Tensor y = Tensor::empty(p.matmul.shape(in), DType::kF32, gpu(0));
      report(name, seconds_of([&] {
               rung.kernel(p.matmul, a.view<const float>(), b.view<const float>(), y.view<float>(),
                           {});
             }),
             p.matmul.cost(in));
    }
}

}  // namespace
}  // namespace mend

int main(int argc, char** argv) {
  using namespace mend;
  try {
    const std::string word = argc > 1 ? argv[1] : "";
    time_convolutions(word);
    time_weight_gradients(word);
    time_normalizations(word);
    time_attention(word);
    time_products(word);
    time_sampling(word);
    time_narrow_images(word);
    time_pairs(word);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "mend_gpu_times: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
