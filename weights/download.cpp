#include "weights/download.h"

#include <fmt/format.h>

#include "engine/error.h"

#ifdef MEND_HAS_CURL

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "engine/cancel.h"
#include "weights/curl_library.h"

namespace mend {
namespace {

constexpr long kMostRedirects = 10;
constexpr long kConnectSeconds = 30;
constexpr long kStalledSeconds = 60;  // without a byte

/// What the callback of libcurl writes to; exceptions must not cross C code, so it notes a reason.
struct Transfer {
  const Download& download;
  const CurlLibrary& curl;
  CURL* handle;
  std::int64_t done;
  enum class Stop { kNone, kTooLarge, kDisk, kCancelled } stop = Stop::kNone;
  int error_number = 0;
};

bool write_all(int descriptor, const char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t written = ::write(descriptor, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
  return true;
}

std::size_t on_bytes(char* bytes, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::size_t length = size * count;
  const Download& download = transfer.download;
  if (static_cast<std::int64_t>(length) > download.most_bytes - transfer.done) {
    transfer.stop = Transfer::Stop::kTooLarge;
    return 0;
  }
  if (!write_all(download.descriptor, bytes, length)) {
    transfer.stop = Transfer::Stop::kDisk;
    transfer.error_number = errno;
    return 0;
  }
  transfer.done += static_cast<std::int64_t>(length);
  curl_off_t coming = -1;
  transfer.curl.easy_getinfo(transfer.handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &coming);
  if (download.progress) {
    download.progress(transfer.done, coming < 0 ? 0 : download.begin + coming);
  }
  return length;
}

/// libcurl calls this about once a second, also while nothing comes.
int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  if (!cancel_requested()) return 0;
  static_cast<Transfer*>(context)->stop = Transfer::Stop::kCancelled;
  return 1;
}

void restrict_protocols(const CurlLibrary& curl, CURL* handle, const std::string& url) {
  // A redirect may lead from http to https, but not back to where anybody can change the bytes.
  const bool secure = url.starts_with("https:");
#if LIBCURL_VERSION_NUM >= 0x075500
  curl.easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl.easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
  curl.easy_setopt(handle, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
  curl.easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS,
                   secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

void set_options(Transfer& transfer, char* error) {
  const Download& download = transfer.download;
  const CurlLibrary& curl = transfer.curl;
  CURL* handle = transfer.handle;
  curl.easy_setopt(handle, CURLOPT_URL, download.url.c_str());
  restrict_protocols(curl, handle, download.url);
  curl.easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
  curl.easy_setopt(handle, CURLOPT_USERAGENT, "mend");
  curl.easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl.easy_setopt(handle, CURLOPT_MAXREDIRS, kMostRedirects);
  curl.easy_setopt(handle, CURLOPT_FAILONERROR, 1L);
  curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl.easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl.easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  curl.easy_setopt(handle, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(download.begin));
  curl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_bytes);
  curl.easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl.easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl.easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl.easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
}

}  // namespace

std::string cannot_fetch() {
  try {
    curl_library();
    return {};
  } catch (const CheckpointError& error) {
    return error.what();
  }
}

Fetched fetch(const Download& download) {
  const CurlLibrary& curl = curl_library();
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl.easy_init(), curl.easy_cleanup);
  if (handle == nullptr) throw CheckpointError("libcurl cannot be started");
  Transfer transfer{
      .download = download, .curl = curl, .handle = handle.get(), .done = download.begin};
  char error[CURL_ERROR_SIZE] = "";
  set_options(transfer, error);

  const CURLcode code = curl.easy_perform(transfer.handle);
  if (code == CURLE_OK) return Fetched::kAll;
  if (code == CURLE_RANGE_ERROR && download.begin > 0) return Fetched::kNoResume;
  switch (transfer.stop) {
    case Transfer::Stop::kCancelled:
      throw Interrupted(download.url + ": the download was stopped");
    case Transfer::Stop::kDisk:
      throw WriteError(fmt::format("{}: cannot be stored: {}", download.url,
                                   std::strerror(transfer.error_number)));
    case Transfer::Stop::kTooLarge:
      throw CheckpointError(
          fmt::format("{}: is larger than {} bytes", download.url, download.most_bytes));
    case Transfer::Stop::kNone:
      break;
  }
  throw CheckpointError(fmt::format("{}: cannot be downloaded: {}", download.url,
                                    error[0] != '\0' ? error : curl.easy_strerror(code)));
}

}  // namespace mend

#else

namespace mend {

std::string cannot_fetch() { return "this build has no libcurl"; }

Fetched fetch(const Download& download) {
  throw CheckpointError(fmt::format("{}: {}; download it with a browser and give the file's path",
                                    download.url, cannot_fetch()));
}

}  // namespace mend

#endif
