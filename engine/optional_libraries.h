// Libraries beside the driver that a GPU's kernels may use, and need not.
#pragma once

#include <string>

namespace mend {

/// The version and place of cuDNN, which forced kernels may run on; or why there is none. Looks for it.
std::string describe_cudnn();
/// The same of NCCL, by which trainings on several GPUs add their gradients.
std::string describe_nccl();

}  // namespace mend
