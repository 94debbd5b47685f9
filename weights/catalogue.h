// The published checkpoints that `mend pull` knows, and whose code the networks are:
// weights/catalogue.json, built into the program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mend {

/// One file of a published checkpoint; ncnn models have two.
struct PublishedFile {
  std::string file;        ///< its name
  std::string url;         ///< empty if its authors give only a page, which a browser must open
  std::int64_t bytes = 0;  ///< 0 if not known
  std::string sha256;      ///< lower-case; the first digits are enough; empty if not known
};

struct PublishedCheckpoint {
  std::string name;                  ///< how `mend pull` calls it
  std::string task;                  ///< "upscale", "denoise", ...
  std::string network;               ///< "rrdbnet", "srvgg", ...
  std::string licence;               ///< of the weights
  std::string page;                  ///< where its authors describe it
  std::vector<PublishedFile> files;  ///< empty if their names are not known
};

/// Where the authors' own code of a network is.
struct PublishedNetwork {
  std::string network;  ///< "rrdbnet", "srvgg", ...
  std::string licence;  ///< of the code
  std::string page;
};

/// All entries, sorted by name.
const std::vector<PublishedCheckpoint>& catalogue();

/// The code of all networks, sorted by name.
const std::vector<PublishedNetwork>& published_networks();

/// The entry of that name, whatever the case; throws UsageError that names similar entries.
const PublishedCheckpoint& find_published(const std::string& name);

}  // namespace mend
