#include "engine/cancel.h"

#include <atomic>

#include "engine/error.h"

namespace mend {
namespace {
std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");
}  // namespace

void request_cancel() noexcept { requested = true; }
void clear_cancel() noexcept { requested = false; }
bool cancel_requested() noexcept { return requested; }

void check_cancel() {
  if (requested) throw Interrupted("interrupted; nothing half-written was left behind");
}

}  // namespace mend
