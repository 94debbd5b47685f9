#include "apps/models_markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/measured.h"
#include "models/registry.h"
#include "weights/catalogue.h"

namespace mend {
namespace {

constexpr std::string_view kIntroduction =
    R"(# Networks

Written by `make docs`; `mend models --markdown` prints it. Licences and checkpoints are those of
`weights/catalogue.json`; tasks, parameters, arithmetic, errors and tiles are measured, in
`models/measured.json`.

- **Checkpoints**: `mend pull NAME` fetches those with a direct address and says where the others are.
- **GFLOP per megapixel** of the network's input, a multiplication and a sum counted as 2; ranges are over the
  configurations below.
- **Max error**: the largest difference from the outputs of the authors' code, in units of the network's outputs,
  of the configuration that comes closest to what its fixture allows, which is in brackets.
- **Tiles**: *exact halo*: tiles with a halo as wide as the receptive field give the result of the whole picture;
  *window-aligned*: the same where tiles start with the network's windows, which they do; *whole image*: a pixel
  may depend on all others or on the picture's size, so tiles change the result and are cut only when memory asks.

)";

constexpr std::string_view kConfigurations =
    R"(
## Configurations

*published*: the authors' weights; *formula*: weights by a formula, under the keys and shapes of the authors' files;
*small*: a fixture of reduced widths, where there is no larger one.

| network | configuration | weights | parameters | picture | GFLOP per megapixel | max error | allowed |
|---|---|---|---:|---|---:|---:|---:|
)";

void add_once(std::vector<std::string>& list, const std::string& text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

std::string joined(const std::vector<std::string>& list, std::string_view between) {
  return list.empty() ? "-" : fmt::format("{}", fmt::join(list, between));
}

/// "91 k", "16.70 M"
std::string count(std::int64_t parameters) {
  const double number = static_cast<double>(parameters);
  return number < 1e6 ? fmt::format("{:.1f} k", number / 1e3)
                      : fmt::format("{:.2f} M", number / 1e6);
}

std::vector<MeasuredNetwork> measured_of(const std::string& network) {
  std::vector<MeasuredNetwork> found;
  for (const MeasuredNetwork& measured : measured_networks()) {
    if (measured.network == network) found.push_back(measured);
  }
  return found;
}

/// "2.48", "1331"
std::string gflops(double number) {
  return number < 1000 ? fmt::format("{:.4g}", number) : fmt::format("{:.0f}", number);
}

/// "least to most" of a number of each full-size configuration, or just that number; "-" of none.
template <class Number, class Text>
std::string range(std::vector<MeasuredNetwork> all, Number MeasuredNetwork::*member,
                  const Text& text) {
  std::erase_if(all, [](const MeasuredNetwork& one) { return one.weights == "small"; });
  if (all.empty()) return "-";
  const auto by = [member](const auto& a, const auto& b) { return a.*member < b.*member; };
  const auto [least, most] = std::minmax_element(all.begin(), all.end(), by);
  const std::string low = text((*least).*member), high = text((*most).*member);
  return low == high ? low : low + " to " + high;
}

/// The error that comes closest to what is allowed.
std::string worst_error(const std::vector<MeasuredNetwork>& all) {
  const MeasuredNetwork* worst = nullptr;
  for (const MeasuredNetwork& one : all) {
    if (one.tolerance == 0) continue;
    const bool is_worse =
        worst == nullptr || one.error * worst->tolerance > worst->error * one.tolerance;
    if (is_worse) worst = &one;
  }
  if (worst == nullptr) return "-";
  return fmt::format("{:.1e} ({:.1e})", worst->error, worst->tolerance);
}

/// "`a`, `b` ([github.com/x/y](https://github.com/x/y))"; what has one page stands together.
std::string checkpoints(const std::vector<PublishedCheckpoint>& published) {
  std::vector<std::pair<std::string, std::vector<std::string>>> pages;
  for (const PublishedCheckpoint& checkpoint : published) {
    const auto same = [&](const auto& page) { return page.first == checkpoint.page; };
    auto page = std::find_if(pages.begin(), pages.end(), same);
    if (page == pages.end()) page = pages.insert(pages.end(), {checkpoint.page, {}});
    page->second.push_back("`" + checkpoint.name + "`");
  }
  std::vector<std::string> texts;
  for (const auto& [page, names] : pages) {
    const std::string shown = page.substr(page.find("//") + 2);
    texts.push_back(fmt::format("{} ([{}]({}))", fmt::join(names, ", "), shown, page));
  }
  return joined(texts, "; ");
}

std::string code_licence(const std::string& network) {
  for (const PublishedNetwork& code : published_networks()) {
    if (code.network == network) return fmt::format("[{}]({})", code.licence, code.page);
  }
  return "-";
}

std::string network_row(const Architecture& network) {
  const std::vector<MeasuredNetwork> measured = measured_of(network.name);
  std::vector<std::string> tasks, policies, licences;
  for (const MeasuredNetwork& one : measured) {
    for (const std::string& task : one.tasks) add_once(tasks, task);
    add_once(policies, one.tile_policy);
  }
  std::vector<PublishedCheckpoint> published;
  for (const PublishedCheckpoint& checkpoint : catalogue()) {
    if (checkpoint.network != network.name) continue;
    published.push_back(checkpoint);
    add_once(licences, checkpoint.licence);
  }
  return fmt::format("| `{}` | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", network.name,
                     network.title, network.paper, joined(tasks, ", "), checkpoints(published),
                     code_licence(network.name), joined(licences, "; "),
                     range(measured, &MeasuredNetwork::parameters, count),
                     range(measured, &MeasuredNetwork::gflops_per_megapixel, gflops),
                     worst_error(measured), joined(policies, " or "));
}

std::string configuration_row(const MeasuredNetwork& one) {
  const auto number = [&](double value) {
    return one.tolerance == 0 ? std::string("-") : fmt::format("{:.1e}", value);
  };
  return fmt::format("| `{}` | {} | {} | {} | {}x{} | {} | {} | {} |\n", one.network, one.name,
                     one.weights, one.parameters, one.size, one.size,
                     gflops(one.gflops_per_megapixel), number(one.error), number(one.tolerance));
}

}  // namespace

std::string short_networks_markdown() {
  std::string text = "| network | class | paper |\n|---|---|---|\n";
  for (const Architecture& network : architectures()) {
    text += fmt::format("| `{}` | {} | {} |\n", network.name, network.title, network.paper);
  }
  return text;
}

std::string networks_markdown() {
  std::string text(kIntroduction);
  text +=
      "| network | class | paper | tasks | official checkpoints | licence of the code | licence of "
      "the weights | parameters | GFLOP per megapixel | max error | tiles |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const Architecture& network : architectures()) text += network_row(network);
  text += kConfigurations;
  for (const MeasuredNetwork& one : measured_networks()) text += configuration_row(one);
  return text;
}

}  // namespace mend
