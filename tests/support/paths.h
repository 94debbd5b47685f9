// Where tests find their data.
#pragma once

#include <string>

namespace mend::test {

/// A file of the fixtures outside the repository: $MEND_SHARED/<relative>, by default
/// <source>/../shared/<relative>.
std::string shared_path(const std::string& relative);

/// A file of the repository: $MEND_TEST_DATA/<relative>, by default tests/data/<relative>.
std::string data_path(const std::string& relative);
/// The fixture of that name ("edsr/x2"): inside the repository if it is there, else outside.
std::string golden_path(const std::string& name);
/// A file of the repository.
std::string source_path(const std::string& relative);

/// Whether `path` exists; if not, prints "skipped: <path> is missing". A test whose data is missing
/// returns then. With $MEND_FIXTURES set, only paths that contain it count as existing: a way to run
/// one network's tests.
bool require_data(const std::string& path);

/// The whole file. Throws InputError if it cannot be read.
std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);

/// A new folder below the system's temporary folder, removed with all it holds.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  /// The path of a file in it.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace mend::test
