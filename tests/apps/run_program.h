// Starting the real `mend` program as its users do, and reading what came back.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/paths.h"

namespace mend::test {

struct Surroundings {
  std::string standard_input = "/dev/null";  ///< a file
  std::string standard_output;               ///< a file to write to instead of Finished::out
  std::string folder;                        ///< to run in
  std::vector<std::string> launcher;         ///< a program, with arguments, that starts mend
  std::int64_t file_limit_bytes = 0;         ///< as `ulimit -f`; 0: none
  int terminal = -1;                         ///< a terminal's descriptor, for stderr
  /// Is called once the process runs, with its id and the file that its stderr goes to.
  std::function<void(pid_t process, const std::string& err)> meanwhile;
};

struct Finished {
  int code = -1;    ///< exit code; 128 + the signal that ended the process
  std::string out;  ///< what it wrote to stdout and stderr
  std::string err;
  double seconds = 0;
  std::int64_t peak_bytes = 0;  ///< resident at most

  /// The lines of stderr that report an error.
  std::vector<std::string> errors() const {
    std::vector<std::string> found;
    std::istringstream lines(err);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("mend: error: ")) found.push_back(line);
    }
    return found;
  }
  int lines_on_stderr() const { return static_cast<int>(std::count(err.begin(), err.end(), '\n')); }
};

namespace detail {

inline void redirect(const std::string& path, int flags, int descriptor) {
  const int file = open(path.c_str(), flags, 0600);
  if (file < 0) _exit(127);
  dup2(file, descriptor);
}

[[noreturn]] inline void become_mend(const std::vector<std::string>& arguments,
                                     const Surroundings& around, const std::string& out,
                                     const std::string& err) {
  redirect(around.standard_input, O_RDONLY, STDIN_FILENO);
  redirect(out, O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
  if (around.terminal >= 0) {
    dup2(around.terminal, STDERR_FILENO);
  } else {
    redirect(err, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
  }
  if (!around.folder.empty() && chdir(around.folder.c_str()) != 0) _exit(127);
  if (around.file_limit_bytes > 0) {
    const auto bytes = static_cast<rlim_t>(around.file_limit_bytes);
    const rlimit limit{bytes, bytes};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<std::string> words = around.launcher;
  words.push_back(words.empty() ? "mend" : MEND_BINARY);
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(around.launcher.empty() ? MEND_BINARY : argv[0], argv.data());
  _exit(127);
}

}  // namespace detail

/// Runs `mend arguments...` to its end.
inline Finished mend_run(const std::vector<std::string>& arguments,
                         const Surroundings& around = {}) {
  const TemporaryFolder folder;
  const std::string out = around.standard_output.empty() ? folder / "out" : around.standard_output;
  const auto start = std::chrono::steady_clock::now();
  const pid_t process = fork();
  if (process == 0) detail::become_mend(arguments, around, out, folder / "err");
  if (around.meanwhile) around.meanwhile(process, folder / "err");
  int status = 0;
  rusage usage{};
  wait4(process, &status, 0, &usage);
  Finished finished;
  finished.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  finished.peak_bytes = std::int64_t{usage.ru_maxrss} * 1024;
  if (around.standard_output.empty()) finished.out = read_file(out);
  if (around.terminal < 0) finished.err = read_file(folder / "err");
  return finished;
}

/// The names of a folder's files, hidden ones too, sorted and with a space between.
inline std::string files_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

}  // namespace mend::test
