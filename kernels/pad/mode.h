// What stands around an image; device code includes this alone.
#pragma once

namespace mend {

enum class PadMode { kConstant, kReflect, kReplicate, kCircular, kSymmetric };

/// The row (or column) of an image with `extent` of them that stands at `position`, which may lie
/// outside; -1 where the constant stands.
#ifdef __CUDACC__
__host__ __device__
#endif
    inline int
    padding_source(PadMode mode, int position, int extent) {
  if (position >= 0 && position < extent) return position;
  switch (mode) {
    case PadMode::kConstant:
      return -1;
    case PadMode::kReflect:
      return position < 0 ? -position : 2 * (extent - 1) - position;
    case PadMode::kReplicate:
      return position < 0 ? 0 : extent - 1;
    case PadMode::kCircular:
      return position < 0 ? position + extent : position - extent;
    case PadMode::kSymmetric:
      return position < 0 ? -1 - position : 2 * extent - 1 - position;
  }
  return -1;
}

}  // namespace mend
