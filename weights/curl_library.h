// libcurl, loaded when something is downloaded. To link it would load forty libraries at every start of the program,
// half of the time that `mend --version` takes.
#pragma once

#include <curl/curl.h>

namespace mend {

/// The functions that a download calls, with libcurl's own types.
struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_strerror) easy_strerror;
};

/// Loaded and started by the first call. Throws CheckpointError with the loader's reason where that fails, each time.
const CurlLibrary& curl_library();

}  // namespace mend
