// The networks as Markdown: README's table, and docs/networks.md.
#pragma once

#include <string>

namespace mend {

/// A table of names, classes and papers.
std::string short_networks_markdown();

/// The page: tables of networks and of their measured configurations. Everything in it comes from
/// the registry, weights/catalogue.json and models/measured.json.
std::string networks_markdown();

}  // namespace mend
