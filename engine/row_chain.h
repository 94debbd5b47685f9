// Several steps as one, run depth first: band by band of rows that stay in the cache. See
// engine/row_schedule.h for the order, and engine/passes/chain_rows.cpp for which steps become one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "engine/row_schedule.h"

namespace mend::op {

/// y = the output of a chain of steps. Inputs: all that the chain reads from outside, images, vectors
/// and packed weights, as the chain's graph lists them. Images have n = 1.
/// Bit for bit what the steps give one after the other, for any number of threads.
struct RowChain {
  static constexpr std::string_view kName = "row_chain";
  static constexpr std::size_t kMostInputs = 16;  ///< of one step

  std::shared_ptr<const RowSchedule> schedule;

  Shape shape(const Shapes& in) const;
  DType dtype() const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace mend::op
