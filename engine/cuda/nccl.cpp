#include "engine/cuda/nccl.h"

#include <fmt/format.h>

#include <string>

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

std::string checked_version(const Loaded& loaded) {
  constexpr int kFirstWithMeans = 21000;
  int version = 0;
  if (loaded.functions.GetVersion(&version) == nccl::kSuccess && version >= kFirstWithMeans &&
      version < 30000) {
    return dotted_version(version);
  }
  throw DeviceError(fmt::format("{} is of version {}; mend calls NCCL 2, 2.10 or later",
                                loaded.file, dotted_version(version)));
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

const Loaded& loaded() { return loaded_once<Loaded, load>(); }

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
  return described([] { return fmt::format("{} ({})", loaded().version, loaded().file); });
}

}  // namespace mend
