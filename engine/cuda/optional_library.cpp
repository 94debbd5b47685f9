#include "engine/cuda/optional_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>

#include "engine/error.h"

namespace mend {

OptionalLibrary::OptionalLibrary(const char* setting, const char* name) {
  const char* const path = std::getenv(setting);
  const bool is_named = path != nullptr && *path != '\0';
  file_ = is_named ? path : name;
  handle_ = dlopen(file_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ != nullptr) return;
  const char* const reason = dlerror();
  problem_ = fmt::format(
      "{}; {}", reason == nullptr ? file_ + " cannot be loaded" : reason,
      is_named ? fmt::format("{} names it", setting)
               : fmt::format("it is looked for in LD_LIBRARY_PATH and where ldconfig knows "
                             "libraries; {}=/path/to/{} names another place",
                             setting, name));
}

std::string dotted_version(std::int64_t version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

void* OptionalLibrary::address(const char* name) const {
  void* const found = handle_ == nullptr ? nullptr : dlsym(handle_, name);
  if (found == nullptr) {
    throw DeviceError(fmt::format("{} has no {}: it is of another version", file_, name));
  }
  return found;
}

}  // namespace mend
