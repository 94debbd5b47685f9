#include "engine/diagnose.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "engine/parallel.h"

namespace mend {

bool all_finite(const Tensor& tensor) {
  const View<const float> x = tensor.view<const float>();
  const Shape& s = x.shape;
  std::atomic<bool> finite{true};
  parallel_for(std::int64_t{s.n} * s.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / s.h), h = static_cast<int>(row % s.h);
    // A sum of x·0 is 0 unless something is NaN or infinite; it has no branch to slow it down.
    float zero = 0;
    for (int w = 0; w < s.w; ++w) {
      const float* pixel = x.pixel(n, h, w);
      for (int c = 0; c < s.c; ++c) zero += pixel[c] * 0.0f;
    }
    if (zero != 0.0f || std::isnan(zero)) finite = false;
  });
  return finite;
}

bool is_constant(const Tensor& tensor) {
  const View<const float> x = tensor.view<const float>();
  const Shape& s = x.shape;
  const float* first = x.data;
  for (int n = 0; n < s.n; ++n)
    for (int h = 0; h < s.h; ++h)
      for (int w = 0; w < s.w; ++w) {
        if (!std::equal(first, first + s.c, x.pixel(n, h, w))) return false;
      }
  return true;
}

std::string first_not_finite(const Graph& traced, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> values;
  for (const Value& value : traced.values) values.push_back(value.constant);
  for (std::size_t i = 0; i < inputs.size(); ++i) values[traced.inputs[i]] = inputs[i];
  std::vector<int> readers = traced.uses();
  for (const Step& step : traced.steps) {
    std::vector<Tensor> operands;
    for (const int input : step.inputs) {
      operands.push_back(input == kNoValue ? Tensor() : values[input]);
    }
    values[step.output] = mend::apply(step.op, operands);
    if (!all_finite(values[step.output])) {
      return step.label.empty() ? std::string(step.op.name())
                                : fmt::format("{} ({})", step.op.name(), step.label);
    }
    for (const int input : step.inputs) {
      if (input != kNoValue && --readers[input] == 0) values[input] = Tensor();
    }
  }
  return "the output";
}

}  // namespace mend
