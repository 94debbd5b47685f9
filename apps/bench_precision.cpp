#include "apps/bench_precision.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include "apps/bench_report.h"
#include "apps/size_option.h"
#include "engine/calibration.h"
#include "engine/cancel.h"
#include "engine/parallel.h"
#include "engine/plan.h"
#include "layers/functions.h"
#include "restore/exchange.h"
#include "restore/image_file.h"

namespace mend {
namespace {

/// The middle of the picture as the network reads it; without a picture, numbers of no meaning.
std::vector<Tensor> inputs_of(const Model& model, const PrecisionBench& bench) {
  if (bench.picture.empty()) {
    const PictureSize size = size_for(model, bench.size);
    std::vector<Tensor> inputs;
    for (const Shape& shape : input_shapes(model, size.height, size.width)) {
      inputs.push_back(synthetic_input(shape));
    }
    return inputs;
  }
  const Image image = read_image(bench.picture);
  const PictureSize size =
      bench.size.empty() ? PictureSize{image.width, image.height} : parse_size(bench.size);
  if (size.width > image.width || size.height > image.height) {
    throw UsageError(fmt::format("{} has {}x{} pixels, less than --size {}", bench.picture,
                                 image.width, image.height, bench.size));
  }
  const Tensor middle = window_to_float(image, (image.height - size.height) / 2,
                                        (image.width - size.width) / 2, size.height, size.width);
  return network_inputs(model, to_network(middle, model.traits), {});
}

/// From the patches that `mend run` takes too, if the only input is the picture.
Calibration calibration_of(const Model& model, const std::vector<Tensor>& inputs) {
  std::vector<std::vector<Tensor>> samples = {inputs};
  if (inputs.size() == 1) {
    samples.clear();
    for (const Rectangle& r : calibration_patches(inputs[0].shape().h, inputs[0].shape().w)) {
      samples.push_back({inputs[0].crop(r.y, r.x, r.h, r.w)});
    }
  }
  Calibration calibration = calibrate(model.forward, samples);
  check_calibration(calibration);
  return calibration;
}

/// A plan with its input, and the seconds of its runs.
struct TimedPlan {
  TimedPlan(const Model& model, const std::vector<Tensor>& inputs, const PlanOptions& options)
      : plan(model.forward, shapes_of(inputs), nullptr, options) {
    for (std::size_t i = 0; i < inputs.size(); ++i) plan.set_input(static_cast<int>(i), inputs[i]);
    plan.run();  // the first run packs weights and touches memory
    // Later runs may find their input overwritten: a plan may use its memory for something else.
    y = plan.output(0).clone();
  }

  void run() {
    const auto start = std::chrono::steady_clock::now();
    plan.run();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    timing.add(elapsed.count());
  }

  Plan plan;
  Tensor y;
  Timing timing;
};

/// PSNR in dB of one result against another, both kept in black..white.
double psnr_of(const Tensor& test, const Tensor& reference, const Traits& traits) {
  const Tensor x = clamp(test, traits.black, traits.white);
  const Tensor z = clamp(reference, traits.black, traits.white);
  double sum = 0;
  for (std::int64_t i = 0; i < x.shape().elements(); ++i) {
    sum += std::pow(x.view<const float>().data[i] - z.view<const float>().data[i], 2);
  }
  const double range = traits.white - traits.black;
  return 10 * std::log10(range * range * static_cast<double>(x.shape().elements()) / sum);
}

}  // namespace

void bench_precision(const Model& model, const PrecisionBench& bench) {
  const std::vector<Tensor> inputs = inputs_of(model, bench);
  std::optional<Calibration> calibration;
  if (bench.precision == Precision::kInt8) calibration = calibration_of(model, inputs);
  const std::string_view name = name_of(bench.precision);
  TimedPlan tested(model, inputs,
                   {.calibration = calibration ? &*calibration : nullptr,
                    .narrow = narrow_images_of(bench.precision)});
  TimedPlan f32(model, inputs, {});
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds_since_begin = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  for (int runs = 0; runs < bench.min_runs || seconds_since_begin() < bench.min_seconds; ++runs) {
    check_cancel();
    f32.run();
    tested.run();
  }
  const double f32_ms = 1e3 * f32.timing.median(), tested_ms = 1e3 * tested.timing.median();
  const double psnr = psnr_of(tested.y, f32.y, model.traits);
  const double arena_mb = static_cast<double>(tested.plan.arena_bytes()) / 1e6;
  const double f32_arena_mb = static_cast<double>(f32.plan.arena_bytes()) / 1e6;
  const std::string size = to_string(PictureSize{inputs[0].shape().w, inputs[0].shape().h});
  if (bench.json) {
    Json line = {{"network", model.description},
                 {"size", size},
                 {"precision", name},
                 {"threads", threads()},
                 {"runs", tested.timing.runs()},
                 {"median_ms", tested_ms},
                 {"f32_median_ms", f32_ms},
                 {"psnr_against_f32", psnr},
                 {"arena_mb", arena_mb},
                 {"f32_arena_mb", f32_arena_mb}};
    if (calibration) line["layers_in_8_bits"] = calibration->steps.size();
    std::puts(line.dump().c_str());
    return;
  }
  std::puts(fmt::format(
                "{} at {}, {} thread{}, {} runs in turn: {} median {:.2f} ms, f32 {:.2f} "
                "ms, {:.2f} times as fast; {:.1f} MB, f32 {:.1f}; PSNR against f32 {:.2f} dB",
                model.description, size, threads(), threads() == 1 ? "" : "s", tested.timing.runs(),
                name, tested_ms, f32_ms, f32_ms / tested_ms, arena_mb, f32_arena_mb, psnr)
                .c_str());
}

}  // namespace mend
