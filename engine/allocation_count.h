// What engine/device.h's allocated_bytes() counts; for the devices themselves.
#pragma once

#include <cstdint>

namespace mend {

/// Notes that a device gave out `bytes`, or with a minus took them back.
void count_allocation(std::int64_t bytes);

}  // namespace mend
