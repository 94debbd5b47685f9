// What lies outside the image; device code includes this alone.
#pragma once

namespace mend {

/// What lies outside the image.
enum class PaddingMode {
  kZeros,
  kReflect,    // mirrored without the edge pixel: 2 1 | 0 1 2
  kReplicate,  // the edge pixel again: 0 0 | 0 1 2
};

/// Where an index outside [0, extent) reads: -1 for a zero. One reflection or replication; the
/// contract keeps reflections within one image.
#ifdef __CUDACC__
__host__ __device__
#endif
    inline int
    source_index(int index, int extent, PaddingMode mode) {
  if (index >= 0 && index < extent) return index;
  switch (mode) {
    case PaddingMode::kZeros:
      return -1;
    case PaddingMode::kReflect:
      return index < 0 ? -index : 2 * (extent - 1) - index;
    case PaddingMode::kReplicate:
      return index < 0 ? 0 : extent - 1;
  }
  return -1;
}

}  // namespace mend
