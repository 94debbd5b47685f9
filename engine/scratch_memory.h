// A call's working memory as what std::pmr containers allocate from.
#pragma once

#include <memory_resource>

#include "engine/op.h"

namespace mend {

/// Hands out `scratch` piece by piece and takes nothing back; throws std::bad_alloc behind its end, that is if the
/// operation's scratch_bytes() says too little.
class ScratchMemory : public std::pmr::monotonic_buffer_resource {
 public:
  explicit ScratchMemory(Scratch scratch)
      : monotonic_buffer_resource(scratch.data(), scratch.size(),
                                  std::pmr::null_memory_resource()) {}
};

}  // namespace mend
