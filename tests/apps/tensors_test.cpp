// mend run on tensors: what a script that checks parity sees.
#include <doctest/doctest.h>

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
  explicit Bench(const std::string& fixture)
      : golden(load_golden(data_path("goldens/" + fixture + ".safetensors"))) {
    write_safetensors(network_, golden.weights.tensors, golden.weights.metadata);
  }

  /// The outputs for the inputs of these names.
  std::map<std::string, Tensor> run(const std::vector<std::string>& names,
                                    const std::vector<std::string>& more = {}) {
    std::map<std::string, StoredTensor> inputs = extra;
    for (const std::string& name : names) inputs[name] = golden.stored.tensors.at(name);
    write_safetensors(folder_ / "in.safetensors", inputs, {});
    std::vector<std::string> arguments = {"run",          network_,
                                          "--tensor-in",  folder_ / "in.safetensors",
                                          "--tensor-out", folder_ / "out.safetensors"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    last = mend_run(arguments);
    CAPTURE(last.err);
    if (last.code != 0) return {};
    return read_tensors(folder_ / "out.safetensors");
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
