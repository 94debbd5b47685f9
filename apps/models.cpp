// mend models: the networks that can be run, and the published checkpoints that can be pulled.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "apps/models_markdown.h"
#include "apps/program.h"
#include "models/registry.h"
#include "weights/catalogue.h"
#include "weights/embedded.h"

namespace mend {
namespace {

struct ModelsOptions {
  bool json = false;
  std::string markdown;  // "full", "short", or empty
};

std::string megabytes(const PublishedCheckpoint& published) {
  std::int64_t bytes = 0;
  for (const PublishedFile& file : published.files) bytes += file.bytes;
  return bytes > 0 ? fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6) : "?";
}

/// What the metadata of the program's own weights say.
std::string entry_of(const Checkpoint& checkpoint, const std::string& name) {
  const auto found = checkpoint.metadata.find(name);
  return found == checkpoint.metadata.end() ? "?" : found->second;
}

void print_json() {
  Json json = {
      {"networks", Json::array()}, {"own_weights", Json::array()}, {"checkpoints", Json::array()}};
  for (const EmbeddedCheckpoint& own : embedded_checkpoints()) {
    const Checkpoint checkpoint = read_embedded(own);
    json["own_weights"].push_back({{"name", own.name},
                                   {"task", entry_of(checkpoint, "task")},
                                   {"network", entry_of(checkpoint, "network")},
                                   {"bytes", own.file.size()}});
  }
  for (const Architecture& network : architectures()) {
    json["networks"].push_back({{"name", network.name},
                                {"class", network.title},
                                {"paper", network.paper},
                                {"known_by", network.signature}});
  }
  for (const PublishedCheckpoint& published : catalogue()) {
    Json files = Json::array();
    for (const PublishedFile& file : published.files) {
      files.push_back(
          {{"file", file.file}, {"url", file.url}, {"bytes", file.bytes}, {"sha256", file.sha256}});
    }
    json["checkpoints"].push_back({{"name", published.name},
                                   {"task", published.task},
                                   {"network", published.network},
                                   {"licence", published.licence},
                                   {"page", published.page},
                                   {"files", files}});
  }
  std::puts(json.dump(1).c_str());
}

void print_own_weights() {
  std::puts(fmt::format("The program's own weights (-w NAME, or -w mend:NAME where a file is "
                        "called so; the default of their task)\n  {:<14} {:<10} "
                        "{:<10} {:>7}",
                        "name", "task", "network", "MB")
                .c_str());
  for (const EmbeddedCheckpoint& own : embedded_checkpoints()) {
    const Checkpoint checkpoint = read_embedded(own);
    std::puts(fmt::format("  {:<14} {:<10} {:<10} {:>7.2f}", own.name, entry_of(checkpoint, "task"),
                          entry_of(checkpoint, "network"),
                          static_cast<double>(own.file.size()) / 1e6)
                  .c_str());
  }
  std::puts("");
}

void print_text() {
  std::puts(fmt::format("Networks\n  {:<12} {:<20} {:<54} {}", "name", "class", "paper",
                        "known by the keys")
                .c_str());
  for (const Architecture& network : architectures()) {
    std::puts(fmt::format("  {:<12} {:<20} {:<54} {}", network.name, network.title, network.paper,
                          network.signature)
                  .c_str());
  }
  std::puts(
      fmt::format("\nPublished checkpoints (mend pull NAME)\n  {:<44} {:<10} {:<14} {:>7}  {}",
                  "name", "task", "network", "MB", "licence")
          .c_str());
  for (const PublishedCheckpoint& published : catalogue()) {
    std::puts(fmt::format("  {:<44} {:<10} {:<14} {:>7}  {}", published.name, published.task,
                          published.network, megabytes(published), published.licence)
                  .c_str());
  }
}

}  // namespace

void add_models(Program& program) {
  const auto options = std::make_shared<ModelsOptions>();
  CLI::App* command = program.add("models", "List networks and published checkpoints",
                                  "  mend models\n  mend models --markdown=short\n", [options] {
                                    if (options->json) {
                                      print_json();
                                    } else if (options->markdown == "short") {
                                      std::fputs(short_networks_markdown().c_str(), stdout);
                                    } else if (!options->markdown.empty()) {
                                      std::fputs(networks_markdown().c_str(), stdout);
                                    } else {
                                      print_own_weights();
                                      print_text();
                                    }
                                    return ExitCode::kDone;
                                  });
  command->add_flag("--json", options->json, "Print JSON");
  command
      ->add_flag(
          "--markdown{full}", options->markdown,
          "Print the networks as Markdown: full, with licences, checkpoints and measurements, "
          "or short")
      ->check(CLI::IsMember({"full", "short"}));
}

}  // namespace mend
