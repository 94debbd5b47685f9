#include "apps/compare_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "apps/model_source.h"
#include "engine/error.h"

namespace mend {
namespace {

/// All that a metric is computed from.
struct Question {
  const Image& test;
  const Image* reference;
  Protocol protocol;
  const MetricWeights& weights;
};

struct Metric {
  std::string_view name, label;
  bool needs_reference;
  Score (*score)(const Question& question);
};

std::span<const Metric> metrics() {
  static const Metric table[] = {
      {"psnr", "PSNR", true,
       [](const Question& q) { return psnr(q.test, *q.reference, q.protocol); }},
      {"ssim", "SSIM", true,
       [](const Question& q) { return ssim(q.test, *q.reference, q.protocol); }},
      {"ssim-skimage", "SSIM-7x7", true,
       [](const Question& q) {
         return ssim(q.test, *q.reference, q.protocol, SsimConvention::kScikitImageDefaults);
       }},
      {"ms-ssim", "MS-SSIM", true,
       [](const Question& q) { return ms_ssim(q.test, *q.reference, q.protocol); }},
      {"psnr-b", "PSNR-B", true,
       [](const Question& q) { return psnr_b(q.test, *q.reference, q.protocol); }},
      {"delta-e", "dE2000", true,
       [](const Question& q) { return delta_e(q.test, *q.reference, q.protocol); }},
      {"delta-e-76", "dE76", true,
       [](const Question& q) {
         return delta_e(q.test, *q.reference, q.protocol, ColourDifference::kCie76);
       }},
      {"niqe", "NIQE", false,
       [](const Question& q) { return niqe(q.test, *q.weights.niqe, q.protocol.border); }},
      {"lpips", "LPIPS", true,
       [](const Question& q) {
         return lpips(q.test, *q.reference, *q.weights.lpips, q.protocol.border);
       }},
  };
  return table;
}

bool wants(const MetricOptions& options, std::string_view name) {
  return std::ranges::find(options.names, name) != options.names.end();
}

/// The metrics that are asked for, in the order of the request.
std::vector<const Metric*> chosen(const MetricOptions& options, const Image& test,
                                  const Image* reference) {
  std::vector<std::string> names = options.names;
  if (names.empty()) {
    names = {"psnr", "ssim"};
    const bool gray = test.colour_channels() == 1 && reference->colour_channels() == 1;
    if (options.luma || gray) names.push_back("psnr-b");
  }
  std::vector<const Metric*> found;
  for (const std::string& name : names) {
    for (const Metric& metric : metrics()) {
      if (metric.name == name) found.push_back(&metric);
    }
  }
  return found;
}

}  // namespace

void MetricOptions::add_names_to(CLI::App& command) {
  std::vector<std::string> known;
  for (const Metric& metric : metrics()) known.emplace_back(metric.name);
  command
      .add_option("--metric", names,
                  "What to measure, with commas between; without it psnr, ssim, and psnr-b of one "
                  "channel")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(known))
      ->type_name("NAME");
  command.add_option("--border", border, "Pixels to leave out on every side")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  command.add_flag("--luma", luma, "Compare BT.601 luma instead of all colours");
}

void MetricOptions::add_to(CLI::App& command) {
  add_names_to(command);
  command
      .add_option(
          "-w,--weights", weights,
          "For lpips: torchvision's AlexNet or VGG16, and the heads of LPIPS, two files. For "
          "niqe: a model of pristine photographs. May be given several times")
      ->allow_extra_args(false)
      ->type_name("FILE");
}

bool needs_reference(const MetricOptions& options) {
  if (options.names.empty()) return true;
  return std::ranges::any_of(metrics(), [&](const Metric& metric) {
    return metric.needs_reference && wants(options, metric.name);
  });
}

MetricWeights load_metric_weights(const MetricOptions& options) {
  MetricWeights loaded;
  std::optional<Checkpoint> lpips_files;
  for (const std::string& file : options.weights) {
    Checkpoint checkpoint = open_checkpoint(file);
    if (has_niqe_model(checkpoint)) {
      loaded.niqe = niqe_model_of(checkpoint);
    } else if (has_lpips_weights(checkpoint)) {
      if (lpips_files) {
        checkpoint.path = lpips_files->path + " with " + checkpoint.path;
        checkpoint.tensors.merge(lpips_files->tensors);
      }
      lpips_files = std::move(checkpoint);
    } else {
      throw CheckpointError(
          fmt::format("{}: has neither mu_pris_param (NIQE) nor features.0.weight or "
                      "lin0.model.1.weight (LPIPS)",
                      file));
    }
  }
  if (wants(options, "niqe") && !loaded.niqe) {
    throw UsageError(
        "niqe: give a model of pristine photographs with -w FILE; `mend compare FOLDER --fit-niqe "
        "FILE` makes one from your own, and BasicSR has the released one");
  }
  if (wants(options, "lpips")) {
    if (!lpips_files) {
      throw UsageError(
          "lpips: give two files with -w: torchvision's AlexNet or VGG16, and the heads of LPIPS "
          "v0.1 (alex.pth or vgg.pth)");
    }
    loaded.lpips = load_lpips(std::move(*lpips_files));
  }
  return loaded;
}

std::vector<NamedScore> scores_of(const MetricOptions& options, const MetricWeights& weights,
                                  const Image& test, const Image* reference) {
  const Protocol protocol{options.luma ? ScoredColours::kY : ScoredColours::kRgb, options.border};
  std::vector<NamedScore> scores;
  for (const Metric* metric : chosen(options, test, reference)) {
    scores.push_back(
        {std::string(metric->label), metric->score({test, reference, protocol, weights})});
  }
  return scores;
}

}  // namespace mend
