// The devices that a GPU is, together.
#pragma once

namespace mend {

/// Gives the GPU back what the allocators of all devices that it is keep for later: one that needs it cannot take it
/// from another's.
void release_cached_memory(int gpu);

}  // namespace mend
