// mend compare: how far pictures are from their references.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/compare_metrics.h"
#include "apps/inputs.h"
#include "apps/program.h"
#include "engine/log.h"
#include "restore/image_file.h"
#include "restore/imresize.h"
#include "restore/side_by_side.h"

namespace mend {
namespace {

struct CompareOptions {
  std::string test, reference, picture, niqe_model;
  MetricOptions metrics;
  bool enlarge = false, json = false;
};

/// A picture and its reference, which may be empty.
struct PicturePair {
  std::string test, reference;
};

/// `subject`: the picture among several, or "mean of 5".
void print(const NamedScore& one, const std::string& subject, bool json) {
  const Score& score = one.score;
  if (json) {
    nlohmann::json line = {
        {"metric", one.name}, {"value", score.value}, {"protocol", score.protocol}};
    if (!subject.empty()) line["of"] = subject;
    std::puts(line.dump().c_str());
  } else {
    std::puts(fmt::format("{:<8} {:>9.4f}   {}{}{}", one.name, score.value, score.protocol,
                          subject.empty() ? "" : "   ", subject)
                  .c_str());
  }
}

/// `test` at the size of `reference`, which must be a whole multiple of it.
Image enlarged(const Image& test, const Image& reference) {
  if (reference.width % test.width != 0 || reference.height % test.height != 0) {
    throw ShapeError(fmt::format("--enlarge: {}x{} is no multiple of {}x{}", reference.width,
                                 reference.height, test.width, test.height));
  }
  return imresize(test, reference.height, reference.width);
}

/// The two pictures, or those of two folders that have one name but for its extension.
std::vector<PicturePair> pairs_of(const CompareOptions& options) {
  if (!is_folder(options.test)) return {{options.test, options.reference}};
  const std::vector<std::string> tests = pictures_of_folder(options.test);
  if (tests.empty()) throw InputError(options.test + ": no picture in this folder");
  std::vector<PicturePair> pairs;
  for (const std::string& test : tests) {
    pairs.push_back(
        {test, options.reference.empty() ? "" : picture_of_same_name(options.reference, test)});
  }
  return pairs;
}

std::vector<NamedScore> compare_pair(const CompareOptions& options, const MetricWeights& weights,
                                     const PicturePair& pair) {
  Image test = read_image(pair.test);
  if (pair.reference.empty()) return scores_of(options.metrics, weights, test, nullptr);
  const Image reference = read_image(pair.reference);
  if (options.enlarge) test = enlarged(test, reference);
  if (!options.picture.empty()) write_image(options.picture, side_by_side(test, reference));
  return scores_of(options.metrics, weights, test, &reference);
}

/// Sums of the scores of one metric and protocol.
struct Total {
  NamedScore sum;
  int count = 0;
};

void add_to(std::vector<Total>& totals, const NamedScore& one) {
  for (Total& total : totals) {
    if (total.sum.name != one.name || total.sum.score.protocol != one.score.protocol) continue;
    total.sum.score.value += one.score.value;
    ++total.count;
    return;
  }
  totals.push_back({one, 1});
}

ExitCode fit_model(const CompareOptions& options) {
  std::vector<NiqeFeatures> blocks;
  const std::vector<PicturePair> photographs = pairs_of(options);
  for (const PicturePair& one : photographs) {
    const std::vector<NiqeFeatures> found = pristine_blocks(read_image(one.test));
    blocks.insert(blocks.end(), found.begin(), found.end());
  }
  write_niqe_model(options.niqe_model, fit_niqe_model(blocks, options.niqe_model));
  inform(fmt::format("{}: a model for NIQE from {} sharp blocks of {} pictures", options.niqe_model,
                     blocks.size(), photographs.size()));
  return ExitCode::kDone;
}

void check(const CompareOptions& options) {
  if (options.reference.empty() && needs_reference(options.metrics)) {
    throw UsageError("name the reference too; only --metric niqe does without one");
  }
  const bool folders = is_folder(options.test);
  if (!options.reference.empty() && folders != is_folder(options.reference)) {
    throw UsageError(fmt::format("{} and {}: one is a folder, the other is not", options.test,
                                 options.reference));
  }
  if (!options.picture.empty() && (folders || options.reference.empty())) {
    throw UsageError("--picture: it shows one picture beside its reference");
  }
}

ExitCode compare(const CompareOptions& options) {
  if (!options.niqe_model.empty()) return fit_model(options);
  check(options);
  const MetricWeights weights = load_metric_weights(options.metrics);
  std::vector<Total> totals;
  const bool folders = is_folder(options.test);
  bool failed = false;
  for (const PicturePair& pair : pairs_of(options)) {
    try {
      for (const NamedScore& one : compare_pair(options, weights, pair)) {
        print(one, folders ? pair.test : "", options.json);
        add_to(totals, one);
      }
    } catch (const Error& error) {
      if (!folders) throw;
      report_error(fmt::format("{} against {}: {}", pair.test, pair.reference, error.what()));
      failed = true;
    }
  }
  if (!folders) return ExitCode::kDone;
  for (Total& total : totals) {
    total.sum.score.value /= total.count;
    print(total.sum, fmt::format("mean of {}", total.count), options.json);
  }
  return failed ? ExitCode::kSomeFailed : ExitCode::kDone;
}

}  // namespace

void add_compare(Program& program) {
  const auto options = std::make_shared<CompareOptions>();
  CLI::App* command = program.add(
      "compare", "Measure how far a picture is from its reference",
      "  mend compare result.png original.png\n"
      "  mend compare x4.png original.png --luma --border 4\n"
      "  mend compare results/ originals/ --metric psnr,ssim,ms-ssim,delta-e\n"
      "  mend compare result.png original.png --metric lpips -w alexnet.pth -w lpips_alex.pth\n"
      "  mend compare photographs/ --fit-niqe niqe.safetensors\n"
      "  mend compare result.png --metric niqe -w niqe.safetensors\n"
      "Super-resolution tables use --luma and --border SCALE.\n"
      "Of two folders, pictures of one name are compared, and the mean is printed at the end.\n",
      [options] { return compare(*options); });
  command->add_option("test", options->test, "The picture to judge, or a folder")->required();
  command->add_option("reference", options->reference,
                      "What it should be; niqe does without a reference");
  options->metrics.add_to(*command);
  command->add_flag("--enlarge", options->enlarge,
                    "Enlarge the first picture by bicubic to the size of the second");
  command->add_option("--picture", options->picture, "Write both and their difference side by side")
      ->type_name("FILE");
  command
      ->add_option("--fit-niqe", options->niqe_model,
                   "Take the pictures for pristine photographs, and write their model for niqe")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print JSON, a line each");
}

}  // namespace mend
