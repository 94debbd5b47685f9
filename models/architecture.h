// How the registry knows a network: a row of its table, and what rows are written with.
#pragma once

#include <algorithm>
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
  NetworkVariant local = {};
};

struct Architecture {
  std::string name;       ///< "rrdbnet"
  std::string title;      ///< the official class: "RRDBNet"
  std::string paper;      ///< authors, year, identifier
  std::string signature;  ///< the keys it is known by, for `mend models`
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
/// How many blocks each group has: `pattern` has "{}" where the group's number goes, and a block b
/// of it has the key pattern + "b.<suffix>". Groups are counted from 0 until one has no block.
std::vector<int> depths_of(const Checkpoint& checkpoint, const std::string& pattern,
                           const std::string& suffix);
/// A decimal number r with part == int(r·whole) for all pairs {part, whole}: the official one if it
/// fits, else the first pair's quotient if that ends after two places, else the shortest; the first
/// pair's quotient if there is none. 127/48 and 1021/384 make 2.66.
double shortest_ratio(const std::vector<std::pair<int, int>>& pairs, double official = 0);

// ---- reading hyper-parameters; CheckpointError says which one is wrong ----

int integer(const Json& hyper, const std::string& name, int low, int high);
/// A list of whole numbers; of `count` if that is not 0.
std::vector<int> integers(const Json& hyper, const std::string& name, int low, int high,
                          std::size_t count = 0);
bool flag(const Json& hyper, const std::string& name);
float number(const Json& hyper, const std::string& name);
/// A number that a width is multiplied by, in double as Python does it.
double ratio(const Json& hyper, const std::string& name, double low = 1.0 / 16, double high = 64);
/// int(ratio · width) as Python does it, but never 0.
inline int scaled_width(int width, double ratio) {
  return std::max(1, static_cast<int>(ratio * width));
}
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
