// Images of 64 channels to 16 bits and back; bytes/s counts what is read and what is written.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "engine/parallel.h"
#include "kernels/convert/convert.h"

namespace mend {
namespace {

void bench(benchmark::State& state, ConvertKernel convert, int side, DType from, DType to,
           int threads) {
  const int before = mend::threads();
  set_threads(threads);
  const Shape shape{1, side, side, 64};
  const Tensor x = Tensor::zeros(shape, from), y = Tensor::zeros(shape, to);
  for ([[maybe_unused]] auto _ : state) convert(x, y);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * (x.bytes() + y.bytes()));
  set_threads(before);
}

const int registered = [] {
  for (const auto& rung : convert_ladder()) {
    if (rung.device != DeviceKind::kCpu) continue;
    for (const int side : {32, 256}) {
      for (const DType type : {DType::kF16, DType::kBF16}) {
        for (const bool narrows : {true, false}) {
          for (const int threads : {1, 2}) {
            const DType from = narrows ? DType::kF32 : type, to = narrows ? type : DType::kF32;
            const std::string name = fmt::format("{}/{}_to_{}/{}x{}/t{}", rung.name, name_of(from),
                                                 name_of(to), side, side, threads);
            benchmark::RegisterBenchmark(name.c_str(),
                                         [=, &rung](benchmark::State& state) {
                                           bench(state, rung.kernel, side, from, to, threads);
                                         })
                ->UseRealTime()
                ->Unit(benchmark::kMicrosecond);
          }
        }
      }
    }
  }
  return 0;
}();

}  // namespace
}  // namespace mend
