// From the objects of a pickle to the names of a state_dict.
#include <fmt/format.h>

#include <array>

#include "engine/error.h"
#include "weights/torch_pickle.h"

namespace mend {

using namespace pickle;

namespace {

// Where training programs keep the weights; the first that holds tensors wins (EMA before raw).
constexpr std::array<std::string_view, 8> kContainers = {
    "params_ema", "params", "state_dict", "model_state_dict", "model", "net_g", "net", "generator"};

constexpr int kMostDepth = 64;          // modules nest below 15
constexpr int kMostVisits = 2'000'000;  // shared values can be reached by many paths

/// The text of a key: names, and the numbers of a list of models.
std::string key_text(const Value& key) {
  if (const auto* text = key.as<std::string>()) return *text;
  if (const auto* number = key.as<std::int64_t>()) return std::to_string(*number);
  return "";
}

/// The text of a plain number or text, else empty.
std::string scalar_text(const Value& value) {
  if (const auto* text = value.as<std::string>()) return *text;
  if (const auto* number = value.as<std::int64_t>()) return std::to_string(*number);
  if (const auto* number = value.as<double>()) return fmt::format("{}", *number);
  if (const auto* flag = value.as<bool>()) return *flag ? "true" : "false";
  return "";
}

/// What a value has under names: a dictionary's entries, an object's attributes.
Entries named_parts(const Value& value) {
  if (const Dict* dict = value.as<Dict>()) return dict->entries;
  const Record* record = value.as<Record>();
  if (record == nullptr) return {};
  Entries parts = record->entries;
  const Dict* attributes = record->state != nullptr ? record->state->as<Dict>() : nullptr;
  if (attributes != nullptr) {
    parts.insert(parts.end(), attributes->entries.begin(), attributes->entries.end());
  }
  return parts;
}

class StateFinder {
 public:
  explicit StateFinder(const std::string& path) : path_(path) {}

  /// The state in the first container that has one, else in `value` itself.
  TorchState find(const Value& value, int depth) {
    check(depth);
    const Entries parts = named_parts(value);
    for (const std::string_view container : kContainers) {
      for (const auto& [key, part] : parts) {
        if (key_text(*key) != container || part->as<TensorValue>() != nullptr) continue;
        TorchState state = find(*part, depth + 1);
        if (state.tensors.empty()) continue;
        add_scalars(parts, state);
        return state;
      }
    }
    TorchState state;
    collect(value, "", depth, state);
    add_scalars(parts, state);
    return state;
  }

 private:
  void check(int depth) {
    if (depth > kMostDepth || ++visits_ > kMostVisits) {
      throw CheckpointError(path_ + ": its objects are nested too deeply");
    }
  }

  static void add_scalars(const Entries& parts, TorchState& state) {
    for (const auto& [key, part] : parts) {
      const std::string text = scalar_text(*part);
      if (!text.empty()) state.scalars.emplace(key_text(*key), text);
    }
  }

  /// All tensors below `value`, each under the path of names that leads to it. A module's own
  /// parameters, buffers and children add no name of their own, as in state_dict().
  void collect(const Value& value, const std::string& prefix, int depth, TorchState& state) {
    check(depth);
    for (const auto& [key, part] : named_parts(value)) {
      const std::string name = key_text(*key);
      if (const auto* tensor = part->as<TensorValue>()) {
        state.tensors[prefix + name] = *tensor;
      } else if (part->as<Dict>() != nullptr || part->as<Record>() != nullptr) {
        const bool is_part_of_module =
            value.as<Record>() != nullptr &&
            (name == "_parameters" || name == "_buffers" || name == "_modules");
        collect(*part, is_part_of_module ? prefix : prefix + name + ".", depth + 1, state);
      }
    }
  }

  const std::string& path_;
  int visits_ = 0;
};

}  // namespace

TorchState find_state(const Value& root, const std::string& path) {
  return StateFinder(path).find(root, 0);
}

}  // namespace mend
