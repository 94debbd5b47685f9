#include "weights/pull.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "engine/cancel.h"
#include "engine/error.h"
#include "tests/support/paths.h"
#include "weights/download.h"
#include "weights/sha256.h"

using namespace mend;
using namespace mend::test;

namespace {

/// tests/weights/range_server.py, until the end of the scope.
class LocalServer {
 public:
  explicit LocalServer(const std::string& folder) {
    const std::string script = data_path("../weights/range_server.py");
    pipe_ = ::popen(("exec python3 '" + script + "' '" + folder + "' 2>/dev/null").c_str(), "r");
    if (pipe_ != nullptr && std::fscanf(pipe_, "%d %d", &port_, &process_) != 2) port_ = 0;
  }
  ~LocalServer() {
    if (port_ != 0) ::kill(process_, SIGTERM);
    if (pipe_ != nullptr) ::pclose(pipe_);
  }
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  bool running() const { return port_ != 0; }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/" + path;
  }

 private:
  FILE* pipe_ = nullptr;
  int port_ = 0, process_ = 0;
};

std::string digest_of(const std::string& bytes) {
  Sha256 sum;
  sum.add(std::as_bytes(std::span(bytes)));
  return sum.finish();
}

/// A server with one file, an empty cache, and the description of the file.
struct Shop {
  TemporaryFolder folder, cache;
  LocalServer server{folder.path()};
  std::string content = make_content();
  std::string cached = cache / "net/net.pth";

  Shop() { write_file(folder / "net.pth", content); }

  static std::string make_content() {
    std::string bytes;
    for (unsigned i = 0; i < 300'000; ++i) bytes += static_cast<char>(i * i >> 3);
    return bytes;
  }
  /// False, with a line that says so, if there is nothing to test with.
  bool open() const {
    if (cannot_fetch().empty() && server.running()) return true;
    std::printf("skipped: libcurl or python3 is missing\n");
    return false;
  }
  PublishedCheckpoint published(const std::string& manner) const {
    return {.name = "net",
            .task = "",
            .network = "",
            .licence = "",
            .page = "https://example.org",
            .files = {{.file = "net.pth",
                       .url = server.url(manner + "/net.pth"),
                       .bytes = static_cast<std::int64_t>(content.size()),
                       .sha256 = digest_of(content)}}};
  }
  PullOptions options() const {
    return {.cache_folder = cache.path(), .most_bytes = 1 << 30, .progress = {}};
  }
};

}  // namespace

TEST_CASE("sha256: the examples of FIPS 180 and every way to cut the input") {
  CHECK(digest_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(digest_of(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  const std::string text(150, 'x');
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 sum;
    sum.add(std::as_bytes(std::span(text)).first(cut));
    sum.add(std::as_bytes(std::span(text)).subspan(cut));
    CHECK(sum.finish() == digest_of(text));
  }
}

TEST_CASE("catalogue: every entry is complete, and names are found whatever the case") {
  CHECK(catalogue().size() > 100);
  for (const PublishedCheckpoint& entry : catalogue()) {
    CAPTURE(entry.name);
    CHECK(!entry.licence.empty());
    CHECK(entry.page.starts_with("https://"));
    for (const PublishedFile& file : entry.files) {
      CHECK(file.file.find('/') == std::string::npos);
      CHECK((file.url.empty() || file.url.starts_with("https://")));
      CHECK(file.sha256.find_first_not_of("0123456789abcdef") == std::string::npos);
    }
  }
  CHECK(find_published("REALESRGAN_X4PLUS").network == "rrdbnet");
  CHECK_THROWS_WITH_AS(find_published("ffdnet"), doctest::Contains("ffdnet_color"), UsageError);
}

TEST_CASE("catalogue: every network of a checkpoint says whose code it is") {
  for (const PublishedNetwork& code : published_networks()) {
    CAPTURE(code.network);
    CHECK(!code.licence.empty());
    CHECK(code.page.starts_with("https://"));
  }
  for (const PublishedCheckpoint& entry : catalogue()) {
    CAPTURE(entry.name);
    CHECK(std::count_if(published_networks().begin(), published_networks().end(),
                        [&](const auto& code) { return code.network == entry.network; }) == 1);
  }
}

TEST_CASE("pull: a checkpoint whose files are not known is refused with its page") {
  CHECK_THROWS_WITH_AS(
      pull("DAT_x4", {}),
      "DAT_x4: has no direct address; download it from "
      "https://github.com/zhengchen1999/DAT and give that file instead of the name",
      CheckpointError);
}

TEST_CASE("catalogue: the checksums are those of the shared files") {
  const std::string path = shared_path("weights/rlfn_x4/rlfn_x4.pth");
  if (!require_data(path)) return;
  const PublishedFile& file = find_published("rlfn_x4").files.front();
  const std::string bytes = read_file(path);
  CHECK(file.bytes == static_cast<std::int64_t>(bytes.size()));
  CHECK(file.sha256 == digest_of(bytes));
}

TEST_CASE("pull: a file is fetched, checked and kept") {
  const Shop shop;
  if (!shop.open()) return;
  PullOptions options = shop.options();
  std::int64_t done = 0, total = 0;
  options.progress = [&](const std::string&, std::int64_t now, std::int64_t all) {
    done = now;
    total = all;
  };
  CHECK(pull(shop.published("redirect"), options) == shop.cached);
  CHECK(read_file(shop.cached) == shop.content);
  CHECK(done == 300'000);
  CHECK(total == 300'000);
  CHECK(!std::filesystem::exists(shop.cached + ".part"));
  CHECK(pull(shop.published("absent/on/the/server"), shop.options()) == shop.cached);
}

TEST_CASE("pull: a download that broke off goes on where it stopped") {
  const Shop shop;
  if (!shop.open()) return;
  CHECK_THROWS_AS(pull(shop.published("cut"), shop.options()), CheckpointError);
  CHECK(!std::filesystem::exists(shop.cached));
  CHECK(std::filesystem::file_size(shop.cached + ".part") == 150'000);
  PullOptions options = shop.options();
  std::int64_t first = 0;
  options.progress = [&](const std::string&, std::int64_t now, std::int64_t) {
    if (first == 0) first = now;
  };
  pull(shop.published("plain"), options);
  CHECK(first > 150'000);
  CHECK(read_file(shop.cached) == shop.content);
}

TEST_CASE("pull: it starts again if the server cannot resume or the beginning is another file's") {
  for (const char* manner : {"norange", "plain"}) {
    CAPTURE(manner);
    const Shop shop;
    if (!shop.open()) return;
    std::filesystem::create_directories(shop.cache / "net");
    write_file(shop.cached + ".part", std::string(1000, '?'));
    pull(shop.published(manner), shop.options());
    CHECK(read_file(shop.cached) == shop.content);
  }
}

TEST_CASE("pull: a damaged file in the cache is fetched again") {
  const Shop shop;
  if (!shop.open()) return;
  std::filesystem::create_directories(shop.cache / "net");
  write_file(shop.cached, "damaged");
  pull(shop.published("plain"), shop.options());
  CHECK(read_file(shop.cached) == shop.content);
}

TEST_CASE("pull: what is not as published is refused and not kept") {
  const Shop shop;
  if (!shop.open()) return;
  PublishedCheckpoint wrong = shop.published("plain");
  wrong.files[0].sha256 = std::string(64, '0');
  CHECK_THROWS_WITH_AS(pull(wrong, shop.options()), doctest::Contains("its SHA-256 is"),
                       CheckpointError);
  wrong = shop.published("plain");
  wrong.files[0].bytes = 1000;
  CHECK_THROWS_WITH_AS(pull(wrong, shop.options()), doctest::Contains("is larger than 1000 bytes"),
                       CheckpointError);
  CHECK(!std::filesystem::exists(shop.cached));
}

TEST_CASE("pull: failures name the address") {
  const Shop shop;
  if (!shop.open()) return;
  PublishedCheckpoint lost = shop.published("plain");
  const auto message_for = [&](const std::string& url) -> std::string {
    lost.files[0].url = url;
    try {
      pull(lost, shop.options());
    } catch (const CheckpointError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message_for(shop.server.url("plain/nothing")).find("404") != std::string::npos);
  CHECK(message_for(shop.server.url("loop/net.pth")).find("redirects") != std::string::npos);
  CHECK(message_for("file://" + shop.folder.path() + "/net.pth").find("file") != std::string::npos);
  CHECK(message_for("").find("download it from https://example.org") != std::string::npos);
}

TEST_CASE("pull: a cancelled download stops, and what came is kept") {
  const Shop shop;
  if (!shop.open()) return;
  request_cancel();
  CHECK_THROWS_AS(pull(shop.published("plain"), shop.options()), Interrupted);
  clear_cancel();
  CHECK(!std::filesystem::exists(shop.cached));
}

TEST_CASE("pull: the cache follows XDG_CACHE_HOME") {
  const char* before = std::getenv("XDG_CACHE_HOME");
  const std::string saved = before != nullptr ? before : "";
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  CHECK(default_cache_folder() == "/somewhere/mend");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  CHECK(default_cache_folder().ends_with("/.cache/mend"));
  if (before != nullptr)
    ::setenv("XDG_CACHE_HOME", saved.c_str(), 1);
  else
    ::unsetenv("XDG_CACHE_HOME");
}
