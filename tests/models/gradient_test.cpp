// Gradients of networks against those of their official implementations, from a tape and planned.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "models/official_keys.h"
#include "models/trainable.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

/// The fixture outside the repository if it is there, else the one inside, which may lack gradients.
std::string golden_path(const std::string& name) {
  const std::string outside = shared_path("goldens/" + name + ".safetensors");
  return std::filesystem::exists(outside) ? outside : data_path("goldens/" + name + ".safetensors");
}

/// The fixture's `grads/...`, under the names that networks use.
Checkpoint expected_gradients(const Golden& golden) {
  const std::string kGradients = "grads/";
  Checkpoint gradients;
  for (const auto& [key, stored] : golden.stored.tensors) {
    if (key.starts_with(kGradients)) gradients.tensors[key.substr(kGradients.size())] = stored;
  }
  strip_prefixes(gradients);
  return to_official_keys(std::move(gradients));
}

/// dL/d(output) of L = mean(output·probe), summed over the outputs that have a probe.
Tensors cotangents_of(const Golden& golden, const Traits& traits) {
  Tensors cotangents;
  for (std::size_t i = 0; i < traits.outputs.size(); ++i) {
    const std::string name = i == 0 ? "probe" : "probe_" + traits.outputs[i];
    if (!golden.has(name)) {
      cotangents.emplace_back();
      continue;
    }
    const Tensor cotangent = golden.at(name).clone();
    float* values = cotangent.view<float>().data;
    const std::int64_t elements = cotangent.shape().elements();
    for (std::int64_t j = 0; j < elements; ++j) values[j] /= static_cast<float>(elements);
    cotangents.push_back(cotangent);
  }
  return cotangents;
}

double largest(const std::vector<float>& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(double{value}));
  return most;
}

/// The largest |got − expected|, as a part of the largest |expected|; infinity if they are more or fewer.
double deviation(const std::vector<float>& got, const std::vector<float>& expected) {
  if (got.size() != expected.size()) return HUGE_VAL;
  double most = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(double{got[i]} - expected[i]);
    if (std::isnan(error)) return error;
    most = std::max(most, error);
  }
  return most / largest(expected);
}

std::vector<float> numbers_of(const Tensor& tensor) {
  const Tensor dense = tensor.clone();
  const float* values = dense.view<const float>().data;
  return {values, values + dense.shape().elements()};
}

/// The parameters of `gradients` against the fixture's; returns the largest deviation.
double check_parameters(const TrainableModel& model, const Tensors& gradients,
                        const Golden& golden) {
  const Checkpoint expected = expected_gradients(golden);
  const double within = golden.tolerance.at("grad_rtol").get<double>();
  double worst = 0, scale = 0;
  for (const auto& [key, stored] : expected.tensors)
    scale = std::max(scale, largest(stored.to_f32()));
  std::size_t compared = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Parameter& parameter = model.parameters()[i];
    CAPTURE(parameter.key);
    const auto found = expected.tensors.find(parameter.key);
    const std::vector<float> reference =
        found == expected.tensors.end() ? std::vector<float>{} : found->second.to_f32();
    compared += found == expected.tensors.end() ? 0 : 1;
    const std::vector<float> got = gradients[i] ? to_stored(parameter, gradients[i]).to_f32()
                                                : std::vector<float>(reference.size(), 0.0f);
    // What the loss does not reach, or reaches in a sum that cancels: nothing but rounding.
    if (largest(reference) <= 1e-9 * scale) {
      CHECK(largest(got) <= 1e-6 * scale);
      continue;
    }
    // A gradient far smaller than others is what is left of such sums, whose terms are rounded at 6e-8.
    const double off = deviation(got, reference);
    CHECK(off * largest(reference) <= std::max(within * largest(reference), 6e-8 * scale));
    worst = std::max(worst, off * largest(reference) / std::max(largest(reference), 1e-4 * scale));
  }
  CHECK(compared > 0);
  CHECK(compared == expected.tensors.size());
  return worst;
}

/// `grad_input` and the gradients of further inputs.
void check_inputs(const Traits& traits, const Tensors& gradients, const Golden& golden) {
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const std::string name = "grad_" + traits.inputs[i];
    CAPTURE(name);
    if (!golden.has(name)) continue;
    REQUIRE(gradients[i].defined());
    CHECK(deviation(numbers_of(gradients[i]), numbers_of(golden.at(name))) <=
          golden.tolerance.at("grad_rtol").get<double>());
  }
}

void check_same(const Tensors& planned, const Tensors& taped) {
  REQUIRE(planned.size() == taped.size());
  for (std::size_t i = 0; i < planned.size(); ++i) {
    CAPTURE(i);
    REQUIRE(planned[i].defined() == taped[i].defined());
    if (planned[i]) CHECK(relative_error(planned[i], taped[i]) <= 1e-4);
  }
}

void check_gradients(const std::string& name) {
  const Golden golden = load_golden(golden_path(name));
  if (!golden.has("grad_input")) {
    MESSAGE(name << ": this copy of the fixture has no gradients");
    return;
  }
  const TrainableModel model(golden.weights);
  Tensors inputs;
  for (const std::string& input : golden.inputs()) inputs.push_back(golden.at(input));
  const Tensors cotangents = cotangents_of(golden, model.traits());
  const NetworkGradients taped = gradients_of(model, values_of(model), inputs, cotangents);
  CHECK(max_error(taped.outputs[0], golden.at("output")) <=
        golden.tolerance.at("float32_max_abs").get<double>());
  const double worst = check_parameters(model, taped.parameters, golden);
  check_inputs(model.traits(), taped.inputs, golden);
  const NetworkGradients planned = planned_gradients(model, inputs, cotangents);
  check_same(planned.outputs, taped.outputs);
  check_same(planned.inputs, taped.inputs);
  check_same(planned.parameters, taped.parameters);
  if (std::getenv("MEND_FIXTURES") != nullptr) {
    std::printf("%s: the gradients are off by %.2g\n", name.c_str(), worst);
  }
}

}  // namespace

TEST_CASE("gradients: of networks equal the official implementations, taped and planned") {
  const char* const kFixtures[] = {
      "dat/x2_direct",
      "dat/x4",
      "ddcolor/tiny",
      "dncnn/color_R",
      "dncnn/fdncnn_gray",
      "dncnn/gray_BR",
      "dncnn/gray_R",
      "dncnn/ircnn_gray",
      "drunet/color",
      "drunet/color_odd_replicate",
      "drunet/gray_nb4",
      "eccv16/eccv16_div16",
      "eccv16/eccv16_odd",
      "edsr/x2",
      "edsr/x3",
      "edsr/x4_res01",
      "espcn/x3",
      "fbcnn/color",
      "fbcnn/gray_given_qf",
      "ffdnet/color",
      "ffdnet/gray",
      "fftformer/tiny",
      "fsrcnn/x2",
      "fsrcnn/x3",
      "gfpgan/tiny32",
      "hat/x2_convscale",
      "hat/x4",
      "lama/ngf2_5x6",
      "lama/ngf2_oddw_generator_keys",
      "migan/tiny32",
      "mimo_unet/mimo",
      "mimo_unet/mimo_plus",
      "mprnet/tiny",
      "nafnet/local_tlc",
      "nafnet/w4_4level",
      "nafnet/w8_2level",
      "omnisr/x4",
      "plksr/plksr_x4",
      "plksr/realplksr_x2",
      "realcugan/up2x",
      "realcugan/up3x",
      "realcugan/up4x_pro",
      "restormer/biasfree",
      "restormer/dual_pixel",
      "restormer/gray_biasfree",
      "restormer/withbias",
      "restormer/withbias_odd_reflect",
      "retinexformer/tiny",
      "retinexformer/two_stage_odd_reflect",
      "rrdbnet/x1_unshuffle4",
      "rrdbnet/x2_bsrgan_keys",
      "rrdbnet/x2_unshuffle",
      "rrdbnet/x2_unshuffle_odd_reflect",
      "rrdbnet/x4_bsrgan_keys",
      "rrdbnet/x4_new_keys",
      "rrdbnet/x4_old_keys",
      "safmn/x2_odd",
      "safmn/x4",
      "scunet/color",
      "scunet/gray_two_windows",
      "siggraph17/siggraph17_auto",
      "siggraph17/siggraph17_hints",
      "span/x2_ch12",
      "span/x4_ch8",
      "srcnn/y_9_5_5",
      "srvgg/x1_prelu",
      "srvgg/x2_prelu",
      "srvgg/x4_leakyrelu",
      "srvgg/x4_prelu",
      "swinir/classical_x3",
      "swinir/classical_x4",
      "swinir/denoise_gray",
      "swinir/jpeg_gray_w7",
      "swinir/light_x2",
      "swinir/light_x3",
      "swinir/light_x4_same_size",
      "swinir/real_x4_3conv",
      "uformer/tiny_modulator",
      "zero_dce/nf8",
  };
  for (const std::string name : kFixtures) {
    CAPTURE(name);
    if (require_data(golden_path(name))) check_gradients(name);
  }
}

TEST_CASE("gradients: of networks have the same bits for any number of threads") {
  for (const std::string name :
       {"srvgg/x2_prelu", "nafnet/w8_2level", "swinir/light_x3", "restormer/gray_biasfree",
        "lama/ngf2_5x6", "plksr/realplksr_x2"}) {
    CAPTURE(name);
    if (!require_data(golden_path(name))) continue;
    const Golden golden = load_golden(golden_path(name));
    if (!golden.has("grad_input")) continue;
    const TrainableModel model(golden.weights);
    Tensors inputs;
    for (const std::string& input : golden.inputs()) inputs.push_back(golden.at(input));
    const Tensors cotangents = cotangents_of(golden, model.traits());
    Tensors first;
    on_one_and_two_threads([&](int threads) {
      const NetworkGradients planned = planned_gradients(model, inputs, cotangents);
      Tensors all = planned.inputs;
      all.insert(all.end(), planned.parameters.begin(), planned.parameters.end());
      if (threads == 1) first = all;
      for (std::size_t i = 0; i < all.size(); ++i) {
        REQUIRE(all[i].defined() == first[i].defined());
        if (all[i]) CHECK(identical(all[i], first[i]));
      }
    });
  }
}

}  // namespace mend::test
