// How recipes are read: entry by entry, none of them overlooked.
#pragma once

#include <fmt/format.h>

#include <set>
#include <string>

#include "engine/error.h"
#include "models/network.h"

namespace mend {

/// An object whose entries are each taken once; what is left over, a misspelt one, is an error. All
/// errors are UsageErrors that begin with `place`.
class Entries {
 public:
  Entries(const Json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) refuse("must be an object, {...}");
  }

  /// Reads an entry, or leaves `value` as it is.
  template <class Value>
  void take(const std::string& name, Value& value) {
    taken_.insert(name);
    const auto found = object_.find(name);
    if (found == object_.end()) return;
    try {
      value = found->get<Value>();
    } catch (const nlohmann::json::exception&) {
      refuse(fmt::format("'{}' is {}, which is of another type", name, found->dump()));
    }
  }
  template <class Number>
  void take(const std::string& name, Number& value, Number low, Number high) {
    take(name, value);
    if (!(value >= low && value <= high)) {
      refuse(fmt::format("'{}' is {}; it must lie in {} to {}", name, value, low, high));
    }
  }
  /// As it is; null if it is not there.
  const Json* entry(const std::string& name) {
    taken_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  void finish() const {
    for (const auto& [name, value] : object_.items()) {
      if (!taken_.contains(name)) refuse(fmt::format("does not know '{}'", name));
    }
  }
  const std::string& place() const { return place_; }
  [[noreturn]] void refuse(const std::string& what) const {
    throw UsageError(fmt::format("{}: {}", place_, what));
  }

 private:
  const Json& object_;
  std::string place_;
  std::set<std::string> taken_;
};

}  // namespace mend
