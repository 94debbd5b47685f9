#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "train/replicas.h"

namespace mend {
namespace {

namespace fs = std::filesystem;

struct Launch {
  bool launched = false;
  int size = 0;  ///< 0: the launcher does not say
};

/// What mpirun of Open MPI, of MPICH and its kin, and srun leave in the environment.
Launch launch() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const char* size = std::getenv(name)) return {true, std::atoi(size)};
  }
  return {std::getenv("PMIX_RANK") != nullptr, 0};
}

Replicas* start_mpi(const std::string& module) {
  // Global, because MPI loads parts of its own that look for its symbols. It stays until the process ends.
  void* handle = dlopen(module.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (handle == nullptr) throw UsageError(fmt::format("MPI cannot be loaded: {}", dlerror()));
  using Start = Replicas* (*)();
  const auto start = reinterpret_cast<Start>(dlsym(handle, "mend_start_mpi"));
  if (start == nullptr) throw UsageError(fmt::format("{}: is of another version", module));
  return start();
}

}  // namespace

std::string mpi_module() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& folder : {program, program / MEND_MODULE_FOLDER}) {
    const fs::path module = folder / "mend_mpi.so";
    if (fs::exists(module, error)) return module.lexically_normal().string();
  }
  return {};
}

std::shared_ptr<Replicas> launched_replicas() {
  const Launch how = launch();
  if (!how.launched || how.size == 1) return alone();
  const std::string module = mpi_module();
  if (module.empty()) {
    throw UsageError(
        "started as one of several processes, but this build has no MPI; install libopenmpi-dev "
        "(make deps) and build again, or start it without mpirun");
  }
  std::shared_ptr<Replicas> replicas(start_mpi(module));
  if (how.size > 1 && replicas->size() != how.size) {
    throw UsageError(
        fmt::format("started as one of {} processes, but MPI knows {}; use the mpirun of the MPI "
                    "that mend was built with",
                    how.size, replicas->size()));
  }
  return replicas;
}

}  // namespace mend
