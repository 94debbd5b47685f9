// Stopping long work from outside: a signal handler asks, the work notices between two steps.
#pragma once

namespace mend {

/// Asks all work to stop. Safe in a signal handler.
void request_cancel() noexcept;
void clear_cancel() noexcept;
bool cancel_requested() noexcept;
/// Throws Interrupted if somebody asked. Plans call it between steps.
void check_cancel();

}  // namespace mend
