// What `mend models` prints, for people, programs and the pages of the repository.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"

using namespace mend;
using namespace mend::test;

namespace {

using Json = nlohmann::json;

/// The cells of a row "| a | b |".
std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  std::size_t from = 2;
  for (std::size_t bar; (bar = row.find(" |", from)) != std::string::npos; from = bar + 3) {
    cells.push_back(row.substr(from, bar - from));
  }
  return cells;
}

/// The rows of the tables in a page, without their rules: each table starts with its heading.
std::vector<std::vector<std::vector<std::string>>> tables_of(const std::string& page) {
  std::vector<std::vector<std::vector<std::string>>> tables;
  std::istringstream lines(page);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    const bool is_row = line.starts_with("| ");
    if (is_row && !inside) tables.emplace_back();
    if (is_row) tables.back().push_back(cells_of(line));
    inside = line.starts_with("|");
  }
  return tables;
}

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  const Json json = Json::parse(mend_run({"models", "--json"}).out);
  for (const Json& network : json.at("networks")) {
    names.push_back("`" + network.at("name").get<std::string>() + "`");
  }
  return names;
}

}  // namespace

TEST_CASE("mend models --markdown=short: one table, a row a network, in README's columns") {
  const Finished run = mend_run({"models", "--markdown=short"});
  CHECK(run.code == 0);
  CHECK(run.err.empty());
  const auto tables = tables_of(run.out);
  REQUIRE(tables.size() == 1);
  CHECK(tables[0][0] == std::vector<std::string>{"network", "class", "paper"});
  std::vector<std::string> names;
  for (std::size_t i = 1; i < tables[0].size(); ++i) names.push_back(tables[0][i].at(0));
  CHECK(names == network_names());
}

TEST_CASE(
    "mend models --markdown: every network with its facts, and every measured configuration") {
  const Finished run = mend_run({"models", "--markdown"});
  CHECK(run.code == 0);
  CHECK(run.out == mend_run({"models", "--markdown=full"}).out);
  CHECK(run.out.starts_with("# Networks\n"));
  const auto tables = tables_of(run.out);
  REQUIRE(tables.size() == 2);

  std::vector<std::string> names;
  for (const auto& row : tables[0]) {
    CAPTURE(row[0]);
    REQUIRE(row.size() == tables[0][0].size());
    if (&row == &tables[0].front()) continue;
    names.push_back(row[0]);
    CHECK(row[4].find("](https://") != std::string::npos);  // a checkpoint's page
    CHECK(row[5].find("](https://") != std::string::npos);  // the code's licence and page
    for (const std::string& cell : row) CHECK(!cell.empty());
  }
  CHECK(names == network_names());

  for (const auto& row : tables[1]) {
    REQUIRE(row.size() == tables[1][0].size());
    if (&row == &tables[1].front()) continue;
    CAPTURE(row[1]);
    CHECK(std::find(names.begin(), names.end(), row[0]) != names.end());
    CHECK(std::stoll(row[3]) > 0);
    CHECK(std::stod(row[5]) > 0);
    CHECK((row[6] == "-") == (row[7] == "-"));
    if (row[6] != "-") CHECK(std::stod(row[6]) <= std::stod(row[7]));
  }
  CHECK(tables[1].size() > 80);
}

TEST_CASE("mend inspect, mend explain: they say what tiles do") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  for (const char* command : {"inspect", "explain"}) {
    CAPTURE(command);
    const std::string text = mend_run({command, network}).out;
    const std::string said = text.substr(text.find("\ntiles "));
    CHECK(said.substr(0, said.find('\n', 1)).ends_with(" exact halo"));
    CHECK(Json::parse(mend_run({command, network, "--json"}).out).at("tile_policy") ==
          "exact halo");
  }
}

TEST_CASE("mend models: an unknown kind of Markdown is a usage error") {
  CHECK(mend_run({"models", "--markdown=long"}).code == 2);
}
