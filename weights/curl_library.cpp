#ifdef MEND_HAS_CURL

#include "weights/curl_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "engine/error.h"

namespace mend {
namespace {

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) throw CheckpointError(fmt::format("libcurl has no {}", name));
}

CurlLibrary load() {
  constexpr const char* kName = "libcurl.so.4";          // its interface since 2006
  void* library = dlopen(kName, RTLD_NOW | RTLD_LOCAL);  // until the process ends
  if (library == nullptr) {
    throw CheckpointError(
        fmt::format("libcurl cannot be loaded ({}); install it (Debian: libcurl4)", dlerror()));
  }
  CurlLibrary curl{};
  find(library, "curl_global_init", curl.global_init);
  find(library, "curl_easy_init", curl.easy_init);
  find(library, "curl_easy_cleanup", curl.easy_cleanup);
  find(library, "curl_easy_setopt", curl.easy_setopt);
  find(library, "curl_easy_getinfo", curl.easy_getinfo);
  find(library, "curl_easy_perform", curl.easy_perform);
  find(library, "curl_easy_strerror", curl.easy_strerror);
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    throw CheckpointError("libcurl cannot be started");
  return curl;
}

}  // namespace

const CurlLibrary& curl_library() {
  static const CurlLibrary kCurl = load();
  return kCurl;
}

}  // namespace mend

#endif
