// mend run on tensors: what a script that checks parity sees.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "restore/tensor_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/support/compare.h"

using namespace mend;
using namespace mend::test;

namespace {

/// A fixture of the repository as a checkpoint and inputs in a folder.
class Bench {
 public:
  /// Of a name, or of a file elsewhere.
  explicit Bench(const std::string& fixture)
      : golden(load_golden(fixture.ends_with(".safetensors")
                               ? fixture
                               : data_path("goldens/" + fixture + ".safetensors"))) {
    std::map<std::string, StoredTensor> weights;
    for (const auto& [key, tensor] : golden.weights.tensors) {
      weights[golden.weights.stripped_prefix + key] = tensor;
    }
    write_safetensors(network_, weights, golden.weights.metadata);
  }

  /// The outputs for the inputs of these names.
  std::map<std::string, Tensor> run(const std::vector<std::string>& names,
                                    const std::vector<std::string>& more = {}) {
    start(names, more);
    CAPTURE(last.err);
    if (last.code != 0) return {};
    return read_tensors(folder_ / "out.safetensors");
  }

  /// The same as they are in the file.
  std::map<std::string, StoredTensor> run_stored(const std::vector<std::string>& names,
                                                 const std::vector<std::string>& more) {
    start(names, more);
    CAPTURE(last.err);
    if (last.code != 0) return {};
    const std::string path = folder_ / "out.safetensors";
    return read_safetensors(path, Bytes::map(path)).tensors;
  }

  void start(const std::vector<std::string>& names, const std::vector<std::string>& more) {
    std::map<std::string, StoredTensor> inputs = extra;
    for (const std::string& name : names) inputs[name] = golden.stored.tensors.at(name);
    write_safetensors(folder_ / "in.safetensors", inputs, {});
    std::vector<std::string> arguments = {"run",          network_,
                                          "--tensor-in",  folder_ / "in.safetensors",
                                          "--tensor-out", folder_ / "out.safetensors"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    last = mend_run(arguments);
  }

  Golden golden;
  std::map<std::string, StoredTensor> extra;
  Finished last;

 private:
  TemporaryFolder folder_;
  std::string network_ = folder_ / "net.safetensors";
};

}  // namespace

TEST_CASE("mend run on tensors: eager and planned equal the official outputs") {
  for (const std::string fixture :
       {"fbcnn/gray_given_qf", "siggraph17/siggraph17_hints", "ffdnet/color", "fsrcnn/x3",
        "lama/ngf2_oddw_generator_keys", "mimo_unet/mimo", "swinir/light_x2"}) {
    CAPTURE(fixture);
    Bench bench(fixture);
    const double bound = bench.golden.tolerance.at("float32_max_abs").get<double>();
    for (const std::vector<std::string>& way : {std::vector<std::string>{"--eager"}, {}}) {
      const std::map<std::string, Tensor> outputs = bench.run(bench.golden.inputs(), way);
      REQUIRE(bench.last.code == 0);
      const Tensor& y = outputs.at("output");
      CHECK(max_error(y, bench.golden.at("output")) <= bound);
    }
  }
}

TEST_CASE("mend run on tensors: --backward gives the official gradients, eager and planned") {
  for (const std::string fixture : {"srvgg/x2_prelu", "rrdbnet/x4_old_keys", "fbcnn/gray_given_qf",
                                    "lama/ngf2_oddw_generator_keys"}) {
    CAPTURE(fixture);
    const std::string path = shared_path("goldens/" + fixture + ".safetensors");
    if (!require_data(path)) continue;
    Bench bench(path);
    const Golden& golden = bench.golden;
    const double within = golden.tolerance.at("grad_rtol").get<double>();
    for (const auto& [name, stored] : golden.stored.tensors) {
      if (!name.starts_with("probe")) continue;  // the fixture's loss is mean(output · probe)
      std::vector<float> cotangent = stored.to_f32();
      for (float& value : cotangent) value /= static_cast<float>(stored.elements());
      bench.extra["cotangent" + name.substr(5)] = make_stored_tensor(stored.shape, cotangent);
    }
    for (const std::vector<std::string>& way :
         {std::vector<std::string>{"--backward", "--eager"}, {"--backward"}}) {
      const std::map<std::string, StoredTensor> results = bench.run_stored(golden.inputs(), way);
      REQUIRE(bench.last.code == 0);
      CHECK(results.contains("output"));
      int compared = 0;
      for (const auto& [name, expected] : golden.stored.tensors) {
        if (!name.starts_with("grads/") && name != "grad_input") continue;
        CAPTURE(name);
        REQUIRE(results.contains(name));
        CHECK(results.at(name).shape == expected.shape);
        const std::vector<float> got = results.at(name).to_f32(), want = expected.to_f32();
        double off = 0, largest = 0;
        for (std::size_t i = 0; i < want.size(); ++i) {
          off = std::max(off, std::abs(double{got[i]} - want[i]));
          largest = std::max(largest, std::abs(double{want[i]}));
        }
        CHECK(off <= within * largest);
        ++compared;
      }
      CHECK(compared > 10);
    }
  }
}

TEST_CASE("mend run on tensors: --backward asks for a cotangent") {
  Bench bench("fsrcnn/x3");
  bench.run({"input"}, {"--backward"});
  CHECK(bench.last.code == 3);
  CHECK(bench.last.err.find("no tensor 'cotangent'") != std::string::npos);
}

TEST_CASE("mend run on tensors: without a quality FBCNN takes its own estimate") {
  Bench bench("fbcnn/gray_given_qf");
  const std::map<std::string, Tensor> blind = bench.run({"input"});
  REQUIRE(bench.last.code == 0);
  const float estimate = blind.at("qf_pred").view<const float>()(0, 0, 0, 0);
  bench.extra["qf"] = make_stored_tensor({1, 1}, {estimate});
  const std::map<std::string, Tensor> told = bench.run({"input"});
  REQUIRE(bench.last.code == 0);
  CHECK(relative_error(blind.at("output"), told.at("output")) <= 1e-6);
  CHECK(max_error(blind.at("output"), bench.golden.at("output")).value > 1e-3);
}

TEST_CASE("mend run on tensors: an input that the network needs is asked for by name") {
  Bench ffdnet("ffdnet/color");
  ffdnet.run({"input"});
  CHECK(ffdnet.last.code == 3);
  REQUIRE(ffdnet.last.errors().size() == 1);
  CHECK(ffdnet.last.errors().front().find("no tensor 'sigma'") != std::string::npos);

  Bench siggraph("siggraph17/siggraph17_hints");  // hints come with the mask of where they are
  siggraph.run({"input", "mask"});
  CHECK(siggraph.last.code == 3);
  CHECK(siggraph.last.err.find("no tensor 'ab'") != std::string::npos);
  siggraph.run({"input"});
  CHECK(siggraph.last.code == 0);
}
