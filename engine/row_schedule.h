// In which order the steps of a chain compute their rows, so that what lies between them never is a
// whole image: depth first instead of layer by layer.
//
// The chain's last image is cut into strips, one a thread. A strip goes down its image in bands of a
// few rows. For each band every step computes just the rows that are new; of each value in between, the
// rows that a later step still reads (the halo of a 3x3 kernel) are kept. Only where a strip begins
// are the rows of the halo computed twice, by the strips on both sides.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/trace.h"

namespace mend {

/// Where rows lie: in the strip's memory, or in an input of the chain; perhaps seen through views.
struct RowPlace {
  int input = -1;            ///< number of the chain's input; -1: in memory, or absent
  RowRange rows;             ///< of the input; {0, 0}: all of it
  std::int64_t offset = -1;  ///< in memory, bytes; -1: not there
  Shape shape;               ///< of what lies in memory
  DType dtype = DType::kF32;
  std::vector<AnyOp> views;  ///< from the outermost in
};

/// One step's work on one band.
struct RowCall {
  int step;
  RowPart part;  ///< what runs, and the rows of each input
  RowRange out;  ///< the rows of the step's output
  int keep;      ///< rows of the output before this one are not read any more
  std::vector<RowPlace> inputs;
  RowPlace y;  ///< offset -1: those rows of the chain's output
  /// What is still read goes to the start of its buffer first.
  std::int64_t move_to = 0, move_from = 0, move_bytes = 0;
};

/// A strip's calls in order.
using Strip = std::vector<RowCall>;

struct RowSchedule {
  Graph graph;              ///< one output; its inputs include all constants
  std::vector<int> images;  ///< those inputs that are cut into rows
  int band = 0;             ///< rows of the output, but for the last
  std::vector<Strip> strips;
  std::int64_t buffer_bytes = 0;  ///< the rows alive at once, at the start of a strip's memory
  std::int64_t strip_bytes =
      0;  ///< all of a strip's memory: with the steps' scratch behind the rows

  /// FLOPs of all strips; more than the graph's where strips compute the same rows.
  double flops() const;
  /// Bytes that all strips move within their buffers.
  std::int64_t moved_bytes() const;
};

/// The schedule of a chain whose every step has row parts and whose `images` are of one height and
/// width, for bands of `band` rows (rounded up to the output's grid) and at most `strips` strips.
RowSchedule make_row_schedule(Graph chain, std::vector<int> images, int band, int strips);

}  // namespace mend
