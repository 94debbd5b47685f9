// The noise level that is measured, where it is known.
#include "restore/noise_level.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>

#include "restore/image_file.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

/// Gaussian noise by Box and Muller, from a linear congruential generator.
Tensor with_noise(const Tensor& x, float sigma) {
  const Tensor noisy = x.clone();
  const View<float> view = noisy.view<float>();
  std::uint64_t state = 42;
  const auto uniform = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (static_cast<double>(state >> 11) + 0.5) * 0x1p-53;
  };
  for (std::int64_t i = 0; i < noisy.shape().elements(); ++i) {
    const double normal = std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307 * uniform());
    view.data[i] += sigma * static_cast<float>(normal);
  }
  return noisy;
}

/// Smooth shading with some edges.
Tensor drawing(int h, int w, int channels) {
  const Tensor x = Tensor::empty({1, h, w, channels});
  const View<float> view = x.view<float>();
  for (int y = 0; y < h; ++y)
    for (int column = 0; column < w; ++column)
      for (int c = 0; c < channels; ++c) {
        const bool inside = (column / 40 + y / 30) % 2 == 0;
        view(0, y, column, c) =
            0.3f + 0.2f * std::sin(0.02f * static_cast<float>(y + 2 * column + 10 * c)) +
            (inside ? 0.15f : 0.0f);
      }
  return x;
}

constexpr float kLevels[] = {2, 5, 15, 25, 50};  // grey levels

}  // namespace

TEST_CASE("noise_level: finds the noise of a drawing within 5 percent") {
  for (const int channels : {1, 3}) {
    for (const float level : kLevels) {
      CAPTURE(channels);
      CAPTURE(level);
      const float found = 255 * noise_level(with_noise(drawing(240, 320, channels), level / 255));
      CHECK(found == doctest::Approx(level).epsilon(0.05));
    }
  }
}

TEST_CASE("noise_level: finds the noise of photographs within 12 percent and one grey level") {
  for (const std::string name : {"Kodak_6/kodim23.png", "Kodak_6/kodim05.png", "Set12/01.png"}) {
    const std::string path = shared_path("images/" + name);
    if (!require_data(path)) continue;
    const Image image = read_image(path);
    const Tensor clean = window_to_float(image, 0, 0, image.height, image.width);
    for (const float level : {15.0f, 25.0f, 50.0f}) {
      CAPTURE(name);
      CAPTURE(level);
      const float found = 255 * noise_level(with_noise(clean, level / 255));
      CHECK(std::abs(found - level) <= 0.12f * level + 1);
    }
  }
}

TEST_CASE("noise_level: less than a grey level is found where there is none") {
  CHECK(noise_level(drawing(200, 200, 3)) < 1.0f / 255);
  CHECK(noise_level(Tensor::full({1, 64, 64, 1}, 0.5f)) == 0.0f);
  CHECK(noise_level(Tensor::full({1, 15, 300, 3}, 0.5f)) == 0.0f);
}
