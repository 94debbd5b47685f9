// A small training: pictures, a recipe, and what tests ask of it.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "restore/image_file.h"
#include "train/trainer.h"

namespace mend::test {

/// A folder with two pictures in it and room for trainings; gone at the end.
class Workplace {
 public:
  Workplace()
      : path_(std::filesystem::temp_directory_path() /
              ("mend_training_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_ / "pictures");
    for (const int step : {3, 7}) {
      Image image = make_image(80, 72, 3, 8);
      for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x)
          for (int c = 0; c < 3; ++c) {
            const int edge = (x / step + y / (step + 2)) % 2 == 0 ? 90 : 0;
            image.row(y)[3 * x + c] = static_cast<std::uint8_t>(60 + edge + x / 2 + 10 * c);
          }
      write_image((path_ / "pictures" / (std::to_string(step) + ".png")).string(), image);
    }
  }
  ~Workplace() { std::filesystem::remove_all(path_); }
  std::string folder(const std::string& name) const { return (path_ / name).string(); }

  Recipe recipe(const std::string& changes = "") const {
    const std::string text = R"({
      "task": "upscale",
      "network": {"name": "srvgg", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 8, "num_conv": 2,
                  "upscale": 2, "act_type": "prelu"},
      "seed": 5, "steps": 40, "batch": 3, "patch": 12, "scale": 2, "margin": 2,
      "pictures": ["pictures"],
      "degrade": [{"do": "resize", "scale": 0.5, "filter": "area"}],
      "optimizer": {"name": "adam", "learning_rate": 3e-3},
      "validate": {"pictures": ["pictures"], "every": 20, "count": 2, "side": 32},
      "checkpoint_every": 10)" +
                             changes + "}";
    return parse_recipe(text, folder("recipe.json"));
  }

 private:
  std::filesystem::path path_;
};

inline void ignore(const std::string&) {}

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::vector<double> losses_of(Trainer& trainer) {
  std::vector<double> losses;
  trainer.run([&](const StepReport& report) { losses.push_back(report.loss); });
  return losses;
}

}  // namespace mend::test
