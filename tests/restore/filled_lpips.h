// The networks of LPIPS with parameters made by a formula, as tests/restore/metrics_expected.py makes
// them: what the published tool says of them can be compared without the published weights.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/golden.h"
#include "weights/checkpoint.h"

namespace mend::test {

struct FilledConv {
  int index, out, in, kernel;
};

inline const std::vector<FilledConv> kAlexNet = {
    {0, 64, 3, 11}, {3, 192, 64, 5}, {6, 384, 192, 3}, {8, 256, 384, 3}, {10, 256, 256, 3}};
inline const std::vector<FilledConv> kVgg16 = {
    {0, 64, 3, 3},     {2, 64, 64, 3},    {5, 128, 64, 3},   {7, 128, 128, 3},  {10, 256, 128, 3},
    {12, 256, 256, 3}, {14, 256, 256, 3}, {17, 512, 256, 3}, {19, 512, 512, 3}, {21, 512, 512, 3},
    {24, 512, 512, 3}, {26, 512, 512, 3}, {28, 512, 512, 3}};

/// The parameters of tests/restore/metrics_expected.py.
inline Checkpoint filled_lpips(const std::vector<FilledConv>& trunk,
                               const std::vector<int>& heads) {
  Checkpoint checkpoint;
  checkpoint.path = "filled";
  const auto fill = [&](const std::string& key, std::vector<std::int64_t> shape, double offset,
                        double scale) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    checkpoint.tensors[key] =
        make_stored_tensor(std::move(shape), procedural_fill(key, 7, offset, scale, count));
  };
  for (const FilledConv& conv : trunk) {
    const std::string name = fmt::format("features.{}", conv.index);
    fill(name + ".weight", {conv.out, conv.in, conv.kernel, conv.kernel}, 0,
         std::sqrt(6.0 / (conv.in * conv.kernel * conv.kernel)));
    fill(name + ".bias", {conv.out}, 0, 0.1);
  }
  for (std::size_t i = 0; i < heads.size(); ++i) {
    fill(fmt::format("lin{}.model.1.weight", i), {1, heads[i], 1, 1}, 0.5, 0.5);
  }
  return checkpoint;
}

inline Checkpoint filled_alexnet() { return filled_lpips(kAlexNet, {64, 192, 384, 256, 256}); }
inline Checkpoint filled_vgg16() { return filled_lpips(kVgg16, {64, 128, 256, 512, 512}); }

}  // namespace mend::test
