// How a step of a degradation reads its parameters: each is taken once, and what is left over at the end
// is an error, so that a misspelt parameter is not ignored.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "train/entries.h"
#include "train/random.h"

namespace mend {

/// A number, or a range from which it is drawn for each picture.
struct Range {
  double low = 0, high = 0;
  double draw(RandomStream& random) const { return low == high ? low : random.uniform(low, high); }
};

class StepParameters {
 public:
  /// `place`: what errors call the step, "degrade[2] (jpeg)".
  StepParameters(const Json& step, std::string place);

  /// All throw UsageError: if the parameter is missing and has no default, is of another type, or outside
  /// [low, high].
  Range range(std::string_view name, double low, double high);
  Range range(std::string_view name, double low, double high, Range otherwise);
  std::string word(std::string_view name, const std::set<std::string>& allowed);
  std::string word(std::string_view name, const std::set<std::string>& allowed,
                   const std::string& otherwise);
  const Json* entry(std::string_view name) { return entries_.entry(std::string(name)); }
  void finish() const { entries_.finish(); }

  const std::string& place() const { return entries_.place(); }
  [[noreturn]] void refuse(const std::string& what) const { entries_.refuse(what); }

 private:
  Entries entries_;
};

}  // namespace mend
