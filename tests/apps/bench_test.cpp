// mend bench: what it says of a network, without and with a checkpoint, and of two measurements.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"

using namespace mend::test;

namespace {

using Json = nlohmann::json;

/// One line of `mend bench --json`.
Json line(const std::string& network, double median, double spread, const Json& layers = {}) {
  Json json = {{"network", network},
               {"size", "8x8"},
               {"threads", 1},
               {"median_ms", median},
               {"p10_ms", median - spread},
               {"p90_ms", median + spread}};
  if (!layers.is_null()) json["layers"] = layers;
  return json;
}

Json layer(const std::string& name, double median) {
  return {{"layer", name},
          {"op", "conv2d"},
          {"median_ms", median},
          {"p10_ms", median * 0.9},
          {"p90_ms", median * 1.1}};
}

}  // namespace

TEST_CASE("mend bench --json: one line; with --layers every step with its rungs") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg(2, 32, 2).write(folder / "net.safetensors");
  std::vector<std::string> command = {"bench",     network,      "--size", "32x24",
                                      "--threads", "1",          "--json", "--min-time",
                                      "0",         "--min-runs", "3"};
  const Json whole = Json::parse(mend_run(command).out);
  CHECK(!whole.contains("layers"));
  CHECK(!whole.contains("made_up_parameters"));
  command.push_back("--layers");
  const Finished run = mend_run(command);
  REQUIRE(run.code == 0);
  CHECK(std::count(run.out.begin(), run.out.end(), '\n') == 1);
  const Json json = Json::parse(run.out);
  CHECK(json.at("size") == "32x24");
  CHECK(json.at("threads") == 1);
  CHECK(json.at("runs") == 3);
  CHECK(json.at("p10_ms") <= json.at("median_ms"));
  CHECK(json.at("median_ms") <= json.at("p90_ms"));
  for (const char* name : {"gflops", "of_peak", "gbs", "flop_per_byte", "peak_rss_mb"}) {
    CAPTURE(name);
    CHECK(json.at(name).get<double>() > 0);
  }
  double sum = 0;
  int convolutions = 0;
  for (const Json& step : json.at("layers")) {
    sum += step.at("median_ms").get<double>();
    CHECK(step.at("p10_ms") <= step.at("p90_ms"));
    if (step.at("op") != "conv2d") continue;
    ++convolutions;
    CHECK(step.at("variant").get<std::string>().starts_with("conv2d/"));
    bool listed = false;
    int refused = 0;
    for (const Json& rung : step.at("rungs")) {
      listed = listed || rung.at("name") == step.at("variant");
      refused += rung.contains("refuses") ? 1 : 0;
      CHECK(rung.contains("refuses") + rung.contains("modelled_ms") <= 1);
    }
    CHECK(listed);
    CHECK(refused > 0);  // depthwise at least
  }
  CHECK(convolutions == 4);
  CHECK(sum < 10 * json.at("median_ms").get<double>());
}

TEST_CASE("mend bench --precision: beside f32, with the PSNR and the memory of both") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg(2, 32, 2).write(folder / "net.safetensors");
  for (const char* precision : {"f16", "bf16", "int8"}) {
    CAPTURE(precision);
    std::vector<std::string> command = {"bench",      network, "--size",      "160x140", "--json",
                                        "--min-time", "0",     "--precision", precision};
    const Finished run = mend_run(command);
    REQUIRE(run.code == 0);
    const Json json = Json::parse(run.out);
    CHECK(json.at("precision") == precision);
    CHECK(json.at("median_ms") > 0);
    CHECK(json.at("f32_median_ms") > 0);
    CHECK(json.at("psnr_against_f32") > 20);
    CHECK(json.at("psnr_against_f32") < 120);  // something is not f32
    CHECK(json.contains("layers_in_8_bits") == (precision == std::string("int8")));
    if (precision != std::string("int8")) CHECK(json.at("arena_mb") < json.at("f32_arena_mb"));
    command.erase(std::find(command.begin(), command.end(), "--json"));
    CHECK(mend_run(command).out.find(std::string(precision) + " median") != std::string::npos);
  }
}

TEST_CASE("mend bench: a table of layers says what runs and why not another") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg(2, 32, 2).write(folder / "net.safetensors");
  const Finished run =
      mend_run({"bench", network, "--size", "32x24", "--layers", "--min-time", "0"});
  CHECK(run.code == 0);
  for (const char* part : {"runs on", "conv2d/direct", "needs 32 input channels", "median"}) {
    CAPTURE(part);
    CHECK(run.out.find(part) != std::string::npos);
  }
}

TEST_CASE("mend bench NAME: made-up parameters stand in for a checkpoint that is not here") {
  std::vector<std::string> command = {"bench",      "zero_dce", "--size",     "16x16", "--json",
                                      "--min-time", "0",        "--min-runs", "1"};
  const Finished run = mend_run(command);
  CHECK(run.code == 0);
  const Json json = Json::parse(run.out);
  CHECK(json.at("made_up_parameters") == true);
  CHECK(json.at("network").get<std::string>().find("Zero-DCE(") != std::string::npos);
  CHECK(run.err.find("made-up parameters") != std::string::npos);

  command[1] = "rrdbnet";
  command.insert(command.end(), {"--config", R"({"num_block": 1, "num_feat": 16})"});
  const Json small = Json::parse(mend_run(command).out);
  CHECK(small.at("network").get<std::string>().find("num_feat 16") != std::string::npos);
  command.back() = R"({"number_of_blocks": 1})";
  CHECK(mend_run(command).code == 2);
}

TEST_CASE("mend bench NAME: what cannot be made up is refused with what can") {
  const Finished unknown = mend_run({"bench", "no_such_network"});
  CHECK(unknown.code == 4);
  CHECK(unknown.errors().size() == 1);
  // Published, but these shapes are in no table.
  const Finished published = mend_run({"bench", "001_classicalSR_DF2K_s64w8_SwinIR-M_x8"});
  CHECK(published.code == 4);
  REQUIRE(published.errors().size() == 1);
  CHECK(published.errors()[0].find("001_classicalSR_DF2K_s64w8_SwinIR-M_x4") != std::string::npos);
  CHECK(published.errors()[0].find("mend pull") != std::string::npos);
}

TEST_CASE("mend bench --compare: ratios, and what is slower by more than the spread") {
  const TemporaryFolder folder;
  const std::string before = folder / "old.json", after = folder / "new.json";
  // Three runs of A: the middle one is 100.
  write_file(before, line("A", 100, 5, {layer("body.0", 10), layer("body.0", 20)}).dump() + "\n" +
                         line("A", 300, 5).dump() + "\n\n" + line("A", 90, 5).dump() + "\n" +
                         line("B", 50, 10).dump() + "\n" + line("gone", 1, 0).dump() + "\n");
  write_file(after, line("B", 55, 1).dump() + "\n" +
                        line("A", 120, 5, {layer("body.0", 5), layer("body.0", 21)}).dump() + "\n" +
                        line("new", 1, 0).dump());
  const Finished run = mend_run({"bench", "--compare", before, after, "--json"});
  CHECK(run.code == 0);
  std::vector<Json> lines;
  std::istringstream stream(run.out);
  for (std::string text; std::getline(stream, text);) lines.push_back(Json::parse(text));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].at("case") == "A 8x8 t1");
  CHECK(lines[0].at("ratio").get<double>() == doctest::Approx(1.2));
  CHECK(lines[0].at("verdict") == "slower");
  CHECK(lines[1].at("layer") == "body.0 conv2d");
  CHECK(lines[1].at("verdict") == "faster");
  CHECK(lines[2].at("layer") == "body.0 conv2d #2");
  CHECK(lines[2].at("verdict") == "");
  CHECK(lines[3].at("case") == "B 8x8 t1");
  CHECK(lines[3].at("verdict") == "");  // inside the spread of the first

  const Finished table = mend_run({"bench", "--compare", before, after});
  CHECK(table.code == 0);
  for (const char* part :
       {"1.200  slower", "0.500  faster", "only in the first", "only in the second"}) {
    CAPTURE(part);
    CHECK(table.out.find(part) != std::string::npos);
  }
}

TEST_CASE("mend bench --compare: files that are no measurements are refused by line") {
  const TemporaryFolder folder;
  const std::string good = folder / "good.json", bad = folder / "bad.json";
  write_file(good, line("A", 100, 5).dump());
  const auto refusal = [&](const std::string& text) {
    write_file(bad, text);
    const Finished run = mend_run({"bench", "--compare", good, bad});
    CHECK(run.code == 3);
    CHECK(run.out.empty());
    REQUIRE(run.errors().size() == 1);
    return run.errors()[0];
  };
  CHECK(refusal("").find("has no line") != std::string::npos);
  CHECK(refusal("\nno json").find("bad.json:2: no JSON") != std::string::npos);
  CHECK(refusal("{\"network\": \"A\"}").find("median_ms") != std::string::npos);
  CHECK(refusal(R"({"median_ms":1e999,"p10_ms":1,"p90_ms":1})").find("bad.json:1") !=
        std::string::npos);
  Json damaged = line("A", 1, 0);
  damaged["network"] = 7;
  CHECK(refusal(damaged.dump()).find("network") != std::string::npos);
  damaged = line("A", 1, 0, "seven");
  CHECK(refusal(damaged.dump()).find("layers") != std::string::npos);
  damaged = line("A", 1, 0, Json::array({7}));
  CHECK(refusal(damaged.dump()).find("bad.json:1") != std::string::npos);
  CHECK(mend_run({"bench", "--compare", good, folder / "missing.json"}).code == 3);
  CHECK(mend_run({"bench", "--compare", good}).code == 2);
  CHECK(mend_run({"bench", "net.pth", "--compare", good, good}).code == 2);
}
