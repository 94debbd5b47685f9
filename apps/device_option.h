// What --device says, and what the devices that it names are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "restore/tiled_network.h"

namespace mend {

/// CUDA's numbers of the GPUs that --device names, in its order; none: the CPU.
///
///   auto, cpu   none      cuda        GPU 0       cuda:all       all there are
///                         cuda:1      GPU 1       cuda:0,cuda:1  both; a GPU that is named twice does two things at once
///
/// Throws UsageError, or DeviceError where there is no such GPU.
std::vector<int> gpus_named(const std::string& device);

/// The devices: the CPU, or GPUs, of which one that is named n times is n devices. Throws as gpus_named does.
Devices devices_named(const std::string& device);

/// Says so where the GPUs are of several kinds: kernels may be others there, and then the last bits are.
void tell_unlike_gpus(const std::string& device);

/// What `--memory auto` lets a network take on each of them: of a GPU three quarters, shared by the devices that it
/// is, and for all the least of any of them, as tiles are the same on all; of the CPU usual_memory().
std::int64_t usual_memory_of(const std::string& device);

}  // namespace mend
