// A library that the program can use and does not need: loaded when somebody asks for it, by its own functions.
#pragma once

#include <string>

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

}  // namespace mend
