// A library that the program can use and does not need: loaded when somebody asks for it, by its own functions.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "engine/error.h"

namespace mend {

class OptionalLibrary {
 public:
  /// Loads the file that the environment variable `setting` names, or else `name`, where the system's loader finds
  /// it. It stays until the process ends.
  OptionalLibrary(const char* setting, const char* name);

  bool is_loaded() const { return handle_ != nullptr; }
  /// The name or path that was tried.
  const std::string& file() const { return file_; }
  /// Why it is not loaded and where it was looked for.
  const std::string& problem() const { return problem_; }
  /// The function `name`. Throws DeviceError if the library has none: it is of another version.
  template <class Function>
  void find(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(address(name));
  }

 private:
  void* address(const char* name) const;

  std::string file_, problem_;
  void* handle_ = nullptr;
};

/// 92801 -> "9.28.1", as NVIDIA's libraries count.
std::string dotted_version(std::int64_t version);

/// What `load` returns, which is called once; if it throws, again the next time.
template <class Loaded, Loaded (*load)()>
const Loaded& loaded_once() {
  static std::mutex mutex;
  static std::unique_ptr<Loaded> once;
  const std::scoped_lock lock(mutex);
  if (once == nullptr) once = std::make_unique<Loaded>(load());
  return *once;
}

/// What `describe` returns, or why there is no library.
template <class Describe>
std::string described(const Describe& describe) {
  try {
    return describe();
  } catch (const DeviceError& error) {
    return error.what();
  }
}

}  // namespace mend
