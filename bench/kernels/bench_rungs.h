// Registers every rung of a ladder as a benchmark, named room/rung/case/f32/threads. Each checks its
// result against the reference before it is timed. Counters: bytes a second, the part of the nominal machine's roofline,
// and, where an operation does little but read x and write y, of_copy: the time of copying one to the other over the kernel's.
#pragma once

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bench/kernels/copy_speed.h"
#include "engine/ladder.h"
#include "engine/op.h"
#include "engine/parallel.h"

namespace mend::bench {

/// Numbers in [0, 1] with a pattern that repeats nowhere near. None is negative: a mean that cancels
/// has no digits to compare.
inline Tensor filled(const Shape& shape) {
  const Tensor x = Tensor::empty(shape);
  float* values = x.view<float>().data;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    values[i] = 0.5f + 0.5f * std::sin(static_cast<float>(i) * 0.618f);
  }
  return x;
}

inline double relative_error(const Tensor& actual, const Tensor& expected) {
  const float* a = actual.view<const float>().data;
  const float* b = expected.view<const float>().data;
  double error = 0, norm = 1e-30;
  for (std::int64_t i = 0; i < expected.shape().elements(); ++i) {
    error += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    norm += double{b[i]} * b[i];
  }
  return std::sqrt(error / norm);
}

/// The least seconds that the nominal machine needs for this: traffic or arithmetic.
inline double roofline_seconds(const Cost& cost, int thread_count) {
  return std::max(cost.bytes / NominalMachine::kBytesPerSecond,
                  cost.flops / NominalMachine::kFlopsPerSecond / thread_count);
}

/// call(kernel, inputs, y, scratch) runs one kernel.
template <class Op, class Kernel, class Call>
void register_rungs(std::span<const Variant<Op, Kernel>> ladder, const Op& op,
                    const std::string& label, const Shapes& in, const Call& call) {
  for (const auto& rung : ladder) {
    if (rung.device != DeviceKind::kCpu || !rung.refuses(op, in).empty()) continue;
    const bool is_reference = &rung == &ladder.front();
    for (const int count : {1, threads()}) {
      if (count == 1 && threads() == 1) continue;
      const auto time = [=](benchmark::State& state) {
        const int before = threads();
        set_threads(count);
        std::vector<Tensor> inputs;
        for (const Shape& shape : in) {
          inputs.push_back(shape.empty() ? Tensor() : filled(shape));
        }
        const AnyOp any = op;
        const Tensor y = Tensor::empty(op.shape(in)), expected = Tensor::empty(op.shape(in));
        const Tensor memory =
            Tensor::empty({1, 1, 1, static_cast<int>(any.scratch_bytes(in) / 4) + 16});
        const Scratch scratch{memory.storage()->data(), memory.storage()->bytes()};
        call(ladder[0].kernel, inputs, expected, scratch);
        call(rung.kernel, inputs, y, scratch);
        if (!(relative_error(y, expected) <= rung.error_within)) {
          state.SkipWithError("the result is wrong");
        }
        for (auto _ : state) {
          call(rung.kernel, inputs, y, scratch);
          benchmark::DoNotOptimize(y.storage()->data());
        }
        const Cost cost = op.cost(in);
        using benchmark::Counter;
        state.counters["B/s"] = Counter(cost.bytes, Counter::kIsIterationInvariantRate);
        state.counters["of_roofline"] =
            Counter(roofline_seconds(cost, count), Counter::kIsIterationInvariantRate);
        if (!is_reference && is_like_copy(cost, inputs[0], y)) {
          state.counters["of_copy"] =
              of_copy([&] { call(rung.kernel, inputs, y, scratch); }, inputs[0], y);
        }
        set_threads(before);
      };
      benchmark::RegisterBenchmark(fmt::format("{}/{}/f32/t{}", rung.name, label, count).c_str(),
                                   time)
          ->Unit(benchmark::kMicrosecond)
          ->UseRealTime();
    }
  }
}

}  // namespace mend::bench
