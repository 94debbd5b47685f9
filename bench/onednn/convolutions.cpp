// Our convolutions and oneDNN's in one process and in turn, so that what else the machine does hits
// both: `make bench-compare`, or mend_bench_onednn [PART OF A NAME].
//
// oneDNN runs in the blocked layout that it asks for, its reorders not counted; ours runs on the rung
// that a plan chooses, in NHWC. Both add the bias. Results are compared before anything is timed.
// oneDNN 2.6 has Winograd for AVX-512 alone, later versions have none: then a line says so.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/one_op.h"
#include "engine/parallel.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/variant.h"

namespace mend::bench {
namespace {

struct Layer {
  int C, K, kernel, groups, side;
  int stride = 1;

  std::string name() const {
    const std::string grouped = groups == 1 ? "" : fmt::format("g{}", groups);
    return fmt::format("{}to{}_k{}s{}{}/{}x{}", C, K, kernel, stride, grouped, side, side);
  }
};

// clang-format off
constexpr Layer kLayers[] = {
    { 64,  64, 3,  1, 256},  // SRVGG, DnCNN, RRDBNet: body
    {192,  64, 3,  1, 128},  // RRDBNet: last of a dense block
    {  3,  64, 3,  1, 256},  // any first layer
    { 64,   3, 3,  1, 256},  // any last layer
    { 64, 256, 3,  1, 128},  // EDSR: to pixel shuffle
    { 64,  64, 3, 64, 256},  // NAFNet, Restormer: depthwise
    { 64, 128, 1,  1, 256},  // NAFNet: 1x1
};
// clang-format on

op::Conv2d conv_of(const Layer& layer) {
  op::Conv2d op;
  op.kernel_h = op.kernel_w = layer.kernel;
  op.padding_h = op.padding_w = layer.kernel / 2;
  op.stride = layer.stride;
  op.groups = layer.groups;
  op.outputs = layer.K;
  return op;
}

Shapes constants_of(const Layer& layer) {
  return {{layer.K, layer.kernel, layer.kernel, layer.C / layer.groups}, vector_shape(layer.K)};
}

/// oneDNN's forward convolution of one algorithm, with everything in its own layout.
class OneDnn {
 public:
  /// `x` as ours. Throws dnnl::error if the algorithm cannot do the layer on this machine.
  OneDnn(const Layer& layer, dnnl::algorithm algorithm, const Tensor& x) : layer_(layer) {
    using dnnl::memory;
    using Tag = memory::format_tag;
    const int k = layer.kernel, s = layer.side, c = layer.C / layer.groups;
    const memory::dims weight_dims =
        layer.groups == 1 ? memory::dims{layer.K, c, k, k}
                          : memory::dims{layer.groups, layer.K / layer.groups, c, k, k};
    const auto any = [](const memory::dims& dims) {
      return memory::desc(dims, memory::data_type::f32, Tag::any);
    };
    const memory::dims stride{layer.stride, layer.stride}, padding{k / 2, k / 2};
    const dnnl::convolution_forward::desc wanted(
        dnnl::prop_kind::forward_inference, algorithm, any({1, layer.C, s, s}), any(weight_dims),
        memory::desc({layer.K}, memory::data_type::f32, Tag::a), any({1, layer.K, s, s}), stride,
        padding, padding);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::library);
    const dnnl::convolution_forward::primitive_desc primitive(wanted, attributes, engine_);
    implementation_ = primitive.impl_info_str();
    convolution_ = dnnl::convolution_forward(primitive);
    source_ = memory(primitive.src_desc(), engine_);
    result_ = memory(primitive.dst_desc(), engine_);
    weight_ = memory(primitive.weights_desc(), engine_);
    bias_ = constant(vector_shape(layer.K));

    reorder({{1, layer.C, s, s}, memory::data_type::f32, Tag::nhwc}, x, source_);
    const Tag krsc = layer.groups == 1 ? Tag::ohwi : Tag::gohwi;
    reorder({weight_dims, memory::data_type::f32, krsc}, constant(constants_of(layer)[0]), weight_);
    arguments_ = {{DNNL_ARG_SRC, source_},
                  {DNNL_ARG_WEIGHTS, weight_},
                  {DNNL_ARG_BIAS, memory(primitive.bias_desc(), engine_, bias_.view<float>().data)},
                  {DNNL_ARG_DST, result_}};
  }

  void run() {
    convolution_.execute(stream_, arguments_);
    stream_.wait();
  }

  /// What run() left, as ours.
  Tensor output() {
    const Tensor y = Tensor::empty({1, layer_.side, layer_.side, layer_.K});
    dnnl::memory plain({{1, layer_.K, layer_.side, layer_.side},
                        dnnl::memory::data_type::f32,
                        dnnl::memory::format_tag::nhwc},
                       engine_, y.view<float>().data);
    dnnl::reorder(result_, plain).execute(stream_, result_, plain);
    stream_.wait();
    return y;
  }
  const std::string& implementation() const { return implementation_; }

 private:
  void reorder(const dnnl::memory::desc& desc, const Tensor& from, dnnl::memory& to) {
    dnnl::memory plain(desc, engine_, from.view<float>().data);
    dnnl::reorder(plain, to).execute(stream_, plain, to);
    stream_.wait();
  }

  Layer layer_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::convolution_forward convolution_;
  dnnl::memory source_, weight_, result_;
  Tensor bias_;
  std::string implementation_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

double relative_error(const Tensor& actual, const Tensor& expected) {
  const float* a = actual.view<const float>().data;
  const float* b = expected.view<const float>().data;
  double error = 0, norm = 0;
  for (std::int64_t i = 0; i < expected.shape().elements(); ++i) {
    error += std::pow(double{a[i]} - b[i], 2);
    norm += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(error / norm);
}

struct Contestant {
  std::string name;
  std::function<void()> run;
  std::vector<double> seconds = {};

  double median() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

double time(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// All in turn, round after round; each round is long enough to time.
void time_in_turn(std::vector<Contestant>& all) {
  constexpr int kRounds = 15;
  constexpr double kRoundSeconds = 0.02;
  for (int round = 0; round < kRounds; ++round) {
    for (Contestant& one : all) {
      double seconds = 0;
      int runs = 0;
      for (; seconds < kRoundSeconds; ++runs) seconds += time(one.run);
      one.seconds.push_back(seconds / runs);
    }
  }
}

void compare(const Layer& layer, int thread_count) {
  set_threads(thread_count);
  const op::Conv2d op = conv_of(layer);
  const Shapes inputs = {{1, layer.side, layer.side, layer.C}};
  OneOp ours(op, inputs, constants_of(layer));
  const auto* lowered = ours.plan().graph().steps.back().op.as<op::Conv2d>();
  std::vector<Contestant> all = {{std::string(lowered->variant->name), [&] { ours.run(); }}};
  std::vector<std::optional<OneDnn>> theirs(2);
  std::string left_out;
  const std::pair<const char*, dnnl::algorithm> algorithms[] = {
      {"direct", dnnl::algorithm::convolution_direct},
      {"winograd", dnnl::algorithm::convolution_winograd}};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& [name, algorithm] = algorithms[i];
    try {
      theirs[i].emplace(layer, algorithm, ours.input(0));
    } catch (const dnnl::error& error) {
      left_out += fmt::format("; oneDNN refuses {}: {}", name, error.what());
      continue;
    }
    OneDnn& one = *theirs[i];
    one.run();
    if (const double error = relative_error(one.output(), ours.output()); !(error < 1e-4)) {
      throw std::runtime_error(fmt::format("{}: oneDNN's {} differs by {:.1e} from {}",
                                           layer.name(), name, error, all[0].name));
    }
    all.push_back({fmt::format("{} ({})", name, one.implementation()), [&one] { one.run(); }});
  }
  time_in_turn(all);
  const Shapes constants = constants_of(layer);
  const double flops = op.cost({inputs[0], constants[0], constants[1]}).flops;
  for (const Contestant& one : all) {
    const double median = one.median();
    std::puts(fmt::format("{:<24} t{:<3} {:<40} {:>9.3f} ms {:>7.1f} GFLOP/s {:>6.2f}x{}",
                          layer.name(), thread_count, one.name, 1e3 * median, flops / median / 1e9,
                          median / all[0].median(), &one == &all.back() ? left_out : "")
                  .c_str());
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace mend::bench

int main(int argc, char** argv) {
  using namespace mend::bench;
  const std::string only = argc > 1 ? argv[1] : "";
  const int most = mend::threads();
  std::puts("ours first, then oneDNN's; x: their time / ours, medians of 15 rounds in turn");
  if (dnnl::get_effective_cpu_isa() < dnnl::cpu_isa::avx512_core) {
    std::puts("no AVX-512 here: oneDNN will refuse winograd");
  }
  bool any = false;
  try {
    for (const Layer& layer : kLayers) {
      if (layer.name().find(only) == std::string::npos) continue;
      any = true;
      compare(layer, 1);
      if (most > 1) compare(layer, most);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mend_bench_onednn: %s\n", error.what());
    return 1;
  }
  if (any) return 0;
  std::fprintf(stderr, "mend_bench_onednn: no layer has '%s' in its name\n", only.c_str());
  return 2;
}
