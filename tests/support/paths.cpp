#include "tests/support/paths.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/error.h"

namespace mend::test {

std::string shared_path(const std::string& relative) {
  const char* root = std::getenv("MEND_SHARED");
  return (root != nullptr ? std::string(root) : std::string(MEND_SOURCE_DIR "/../shared")) + "/" +
         relative;
}

std::string source_path(const std::string& relative) {
  return std::string(MEND_SOURCE_DIR "/") + relative;
}

std::string data_path(const std::string& relative) {
  const char* root = std::getenv("MEND_TEST_DATA");
  return (root != nullptr ? std::string(root) : std::string(MEND_SOURCE_DIR "/tests/data")) + "/" +
         relative;
}

std::string golden_path(const std::string& name) {
  const std::string inside = data_path("goldens/" + name + ".safetensors");
  return std::filesystem::exists(inside) ? inside : shared_path("goldens/" + name + ".safetensors");
}

bool require_data(const std::string& path) {
  const char* chosen = std::getenv("MEND_FIXTURES");
  if (chosen != nullptr && path.find(chosen) == std::string::npos) return false;
  if (std::filesystem::exists(path)) return true;
  std::printf("skipped: %s is missing\n", path.c_str());
  return false;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<long>(bytes.size()));
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "mend_test_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw WriteError(name + ": cannot be made");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace mend::test
