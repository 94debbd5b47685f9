// Commands that several processes may work on together, as mpirun starts them.
#pragma once

#include <functional>
#include <memory>

#include "engine/error.h"
#include "train/replicas.h"

namespace mend {

/// Does `work` with the processes that were started together with this one. An error ends all of them: the
/// rank that has it says so, once, and all end with its exit code.
ExitCode run_replicated(const std::function<ExitCode(const std::shared_ptr<Replicas>&)>& work);

}  // namespace mend
