// mend bench --compare: two sets of saved measurements, side by side.
#pragma once

#include <string>

namespace mend {

/// Reads files of lines that `mend bench --json` wrote and prints for each network, size and count of
/// threads that both have, and for each of its layers, both medians and their ratio. Of several lines
/// for one case the one with the middle median counts. A case is slower (or faster) if neither median
/// lies in the other's spread, p10 to p90. `json`: a line each instead of a table.
/// Throws InputError that names file and line.
void compare_benches(const std::string& before, const std::string& after, bool json);

}  // namespace mend
