#include "engine/cuda/nccl.h"

#include <fmt/format.h>

#include <memory>
#include <mutex>

#include "engine/cuda/optional_library.h"
#include "engine/error.h"
#include "engine/optional_libraries.h"

namespace mend {
namespace {

struct Loaded {
  std::string file;
  nccl::Functions functions;
  std::string version;
};

/// 22303 -> "2.23.3", as NCCL counts since its version 2.9.
std::string version_text(int version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

std::string checked_version(const Loaded& loaded) {
  constexpr int kFirstWithMeans = 21000;
  int version = 0;
  if (loaded.functions.GetVersion(&version) == nccl::kSuccess && version >= kFirstWithMeans &&
      version < 30000) {
    return version_text(version);
  }
  throw DeviceError(fmt::format("{} is of version {}; mend calls NCCL 2, 2.10 or later",
                                loaded.file, version_text(version)));
}

Loaded load() {
  const OptionalLibrary library("MEND_NCCL", "libnccl.so.2");
  if (!library.is_loaded()) throw DeviceError("there is no NCCL: " + library.problem());
  Loaded loaded{library.file(), {}, {}};
  nccl::Functions& f = loaded.functions;
  library.find("ncclGetVersion", f.GetVersion);
  loaded.version = checked_version(loaded);
  library.find("ncclGetErrorString", f.GetErrorString);
  library.find("ncclGetUniqueId", f.GetUniqueId);
  library.find("ncclCommInitRank", f.CommInitRank);
  library.find("ncclCommGetAsyncError", f.CommGetAsyncError);
  library.find("ncclCommDestroy", f.CommDestroy);
  library.find("ncclCommAbort", f.CommAbort);
  library.find("ncclGroupStart", f.GroupStart);
  library.find("ncclGroupEnd", f.GroupEnd);
  library.find("ncclAllReduce", f.AllReduce);
  return loaded;
}

const Loaded& loaded() {
  static std::mutex mutex;
  static std::unique_ptr<Loaded> once;  // a failure is tried again
  const std::scoped_lock lock(mutex);
  if (once == nullptr) once = std::make_unique<Loaded>(load());
  return *once;
}

}  // namespace

const nccl::Functions& load_nccl() { return loaded().functions; }

void nccl_check(nccl::Result result, const char* call) {
  if (result == nccl::kSuccess) return;
  int gpu = 0;
  cudaGetDevice(&gpu);
  throw DeviceError(fmt::format("{} failed on cuda:{}: {} ({}); NCCL_DEBUG=INFO has it say more",
                                call, gpu, load_nccl().GetErrorString(result),
                                static_cast<int>(result)));
}

std::string describe_nccl() {
  try {
    return fmt::format("{} ({})", loaded().version, loaded().file);
  } catch (const DeviceError& error) {
    return error.what();
  }
}

}  // namespace mend
