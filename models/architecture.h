// How the registry knows a network: a row of its table, and what rows are written with.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/network.h"
#include "weights/checkpoint.h"
#include "weights/scope.h"

namespace mend {

/// Hyper-parameters of a checkpoint that a network recognised as its own.
struct Recognised {
  Json fixed = Json::object();  ///< read off keys and shapes; whoever says otherwise is wrong
  Json defaults =
      Json::object();  ///< not in keys and shapes: the official values; null: must be given
};

/// A network with its parameters bound, and how to feed it.
struct Built {
  Traits traits;
  Network forward;
};

struct Architecture {
  std::string name;       ///< "rrdbnet"
  std::string title;      ///< the official class: "RRDBNet"
  std::string paper;      ///< authors, year, identifier
  std::string signature;  ///< the key it is known by, for errors
  /// Names that other official constructors give to the hyper-parameters: {"nf", "num_feat"}.
  std::vector<std::pair<std::string, std::string>> aliases;
  /// Looks at keys and shapes alone; the keys are the official ones.
  std::optional<Recognised> (*recognise)(const Checkpoint& checkpoint);
  /// `hyper` holds every entry of Recognised, none of them null.
  Built (*make)(const Scope& p, const Json& hyper);
};

// ---- reading keys and shapes; files are hostile, so absurd numbers count as absent ----

/// Extent d of the tensor as stored; 0 if the key is absent, has no such extent, or is absurd.
int extent(const Checkpoint& checkpoint, const std::string& key, std::size_t d);
inline bool has(const Checkpoint& checkpoint, const std::string& key) {
  return checkpoint.tensors.contains(key);
}
/// The numbers N for which a key "<prefix>N.<suffix>" exists, ascending.
std::vector<int> indices(const Checkpoint& checkpoint, const std::string& prefix,
                         const std::string& suffix = "weight");
/// r if r·r == square, else 0.
int whole_root(int square);

// ---- reading hyper-parameters; CheckpointError says which one is wrong ----

int integer(const Json& hyper, const std::string& name, int low, int high);
float number(const Json& hyper, const std::string& name);
std::vector<float> numbers(const Json& hyper, const std::string& name, std::size_t count);
std::string choice(const Json& hyper, const std::string& name,
                   std::initializer_list<std::string_view> choices);

// ---- making a Network of a struct with operator() ----

template <class Net>
Network image_to_image(Net net) {
  return [net = std::make_shared<const Net>(std::move(net))](const std::vector<Tensor>& inputs) {
    return std::vector<Tensor>{(*net)(inputs[0])};
  };
}

}  // namespace mend
