#include "weights/download.h"

#include <fmt/format.h>

#include "engine/error.h"

#ifdef MEND_HAS_CURL

#include <curl/curl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "engine/cancel.h"

namespace mend {
namespace {

constexpr long kMostRedirects = 10;
constexpr long kConnectSeconds = 30;
constexpr long kStalledSeconds = 60;  // without a byte

/// What the callback of libcurl writes to; exceptions must not cross C code, so it notes a reason.
struct Transfer {
  const Download& download;
  CURL* curl;
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
  curl_easy_getinfo(transfer.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &coming);
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

void restrict_protocols(CURL* curl, const std::string& url) {
  // A redirect may lead from http to https, but not back to where anybody can change the bytes.
  const bool secure = url.starts_with("https:");
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS,
                   secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

void set_options(CURL* curl, Transfer& transfer, char* error) {
  const Download& download = transfer.download;
  curl_easy_setopt(curl, CURLOPT_URL, download.url.c_str());
  restrict_protocols(curl, download.url);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "mend");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(download.begin));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
}

}  // namespace

Fetched fetch(const Download& download) {
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(kReady == CURLE_OK ? curl_easy_init() : nullptr,
                                                    curl_easy_cleanup);
  if (curl == nullptr) throw CheckpointError("libcurl cannot be started");
  Transfer transfer{.download = download, .curl = curl.get(), .done = download.begin};
  char error[CURL_ERROR_SIZE] = "";
  set_options(curl.get(), transfer, error);

  const CURLcode code = curl_easy_perform(curl.get());
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
                                    error[0] != '\0' ? error : curl_easy_strerror(code)));
}

}  // namespace mend

#else

namespace mend {

Fetched fetch(const Download& download) {
  throw CheckpointError(fmt::format(
      "{}: this build has no libcurl; download it with a browser and give the file's path",
      download.url));
}

}  // namespace mend

#endif
