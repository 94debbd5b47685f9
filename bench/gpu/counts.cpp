// Runs one kernel on one problem on the GPU, so that what it asked of the hardware can be counted:
// tools/gpu_budget.py starts it under the simulator, once a case.
//
//   mend_gpu_counts           the cases, a line each
//   mend_gpu_counts CASE      runs it; prints the kernel's name and the compulsory bytes as JSON
#include "bench/gpu/counts.h"

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "engine/error.h"
#include "engine/gpu.h"

int main(int argc, char** argv) {
  using namespace mend;
  try {
    for (const auto& room : {bench::product_counts(), bench::attention_counts(),
                             bench::normalization_counts(), bench::sampling_counts()})
      for (const bench::CountedCase& c : room) {
        if (argc < 2) std::puts(c.name.c_str());
        if (argc != 2 || std::string_view(argv[1]) != c.name) continue;
        const bench::CountedProblem problem = c.run();
        gpu(0).synchronize();
        fmt::print(
            "{{\"rung\": \"{}\", \"x_bytes\": {}, \"weight_bytes\": {}, \"y_bytes\": {}, "
            "\"flops\": {}, "
            "\"sums_kernels\": {}}}\n",
            problem.rung, problem.x_bytes, problem.weight_bytes, problem.y_bytes, problem.flops,
            problem.sums_kernels);
        return 0;
      }
    if (argc < 2) return 0;
    fmt::print(stderr, "mend_gpu_counts: there is no case {}\n", argv[1]);
    return static_cast<int>(ExitCode::kUsage);
  } catch (const Error& error) {
    fmt::print(stderr, "mend_gpu_counts: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
