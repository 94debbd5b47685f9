#include "apps/inputs.h"

#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "engine/error.h"
#include "restore/image_file.h"

namespace mend {
namespace {

namespace fs = std::filesystem;

/// Without exceptions: what cannot be looked at is not there.
bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}
bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return fs::equivalent(a, b, error);
}

/// What names a file whatever the path to it; none if it is not there.
using FileId = std::pair<dev_t, ino_t>;
std::optional<FileId> id_of(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return std::nullopt;
  return FileId{found.st_dev, found.st_ino};
}

bool is_pattern(const std::string& text) {
  return text.find_first_of("*?[") != std::string::npos && !exists(text);
}

std::vector<std::string> files_of_pattern(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> files;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  return files;
}

bool looks_like_a_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* known :
       {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pnm", ".pam", ".pbm"}) {
    if (extension == known) return true;
  }
  return false;
}

/// The files that `input` names, as jobs without an output; one with a problem if there is none.
std::vector<Job> expand(const std::string& input) {
  std::vector<std::string> files = {input};
  std::string problem;
  if (is_folder(input)) {
    files = pictures_of_folder(input);
    problem = "no picture in this folder";
  } else if (is_pattern(input)) {
    files = files_of_pattern(input);
    problem = "no file matches this pattern";
  }
  if (files.empty()) return {{input, "", fmt::format("{}: {}", input, problem)}};
  std::vector<Job> jobs;
  for (const std::string& file : files) jobs.push_back({file, "", ""});
  return jobs;
}

/// The result's name in the output folder.
std::string name_in_folder(const std::string& input) {
  if (input == "-") return "stdin.png";
  fs::path name = fs::path(input).filename();
  try {
    format_of_path(name.string());
  } catch (const UsageError&) {
    name.replace_extension(".png");
  }
  return name.string();
}

bool wants_folder(const std::string& output) { return output.back() == '/' || is_folder(output); }

void refuse_own_input(const Job& job) {
  if (!is_same_file(job.input, job.output)) return;
  throw UsageError(
      fmt::format("{}: the result would replace its own input; choose another name or "
                  "folder",
                  job.input));
}

void create_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return;
  throw WriteError(fmt::format("{}: the folder cannot be created: {}", folder, error.message()));
}

}  // namespace

std::vector<bool> can_be_read_ahead(const std::vector<Job>& jobs) {
  std::vector<bool> can;
  std::set<FileId> written;
  for (const Job& job : jobs) {
    std::error_code error;
    const std::optional<FileId> input = id_of(job.input), output = id_of(job.output);
    const bool is_there =
        input && fs::is_regular_file(job.input, error) && !written.contains(*input);
    can.push_back(is_there || !job.problem.empty());  // there is nothing to read of a problem
    if (output) written.insert(*output);
  }
  return can;
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return path != "-" && fs::is_directory(path, error);
}

std::vector<std::string> pictures_of_folder(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string path = entry.path().string();
    const bool hidden = entry.path().filename().string().front() == '.';
    if (!hidden && !is_folder(path) && looks_like_a_picture(path)) files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string picture_of_same_name(const std::string& folder, const std::string& path) {
  const fs::path stem = fs::path(path).stem();
  for (const std::string& file : pictures_of_folder(folder)) {
    if (fs::path(file).stem() == stem) return file;
  }
  throw InputError(fmt::format("{}: {} has no picture of that name", path, folder));
}

std::vector<Job> jobs_of(const std::vector<std::string>& inputs) {
  std::vector<Job> jobs;
  for (const std::string& input : inputs) {
    const std::vector<Job> found = expand(input);
    jobs.insert(jobs.end(), found.begin(), found.end());
  }
  return jobs;
}

std::vector<Job> plan_jobs(const std::vector<std::string>& inputs, const std::string& output) {
  if (output.empty()) throw UsageError("say where the result goes: -o OUTPUT");
  std::vector<Job> jobs = jobs_of(inputs);
  if (output == "-") {
    if (jobs.size() != 1) {
      throw UsageError(
          fmt::format("-o - takes one picture, but there are {}; name a folder", jobs.size()));
    }
    jobs[0].output = output;
    return jobs;
  }
  const bool folder_given = std::any_of(inputs.begin(), inputs.end(), is_folder);
  if (jobs.size() == 1 && !wants_folder(output) && !folder_given) {
    format_of_path(output);
    jobs[0].output = output;
    refuse_own_input(jobs[0]);
    return jobs;
  }
  if (exists(output) && !is_folder(output)) {
    throw UsageError(
        fmt::format("{} inputs need a folder, but -o {} is a file", jobs.size(), output));
  }
  std::map<std::string, std::string> taken;
  for (Job& job : jobs) {
    if (!job.problem.empty()) continue;
    job.output = (fs::path(output) / name_in_folder(job.input)).string();
    if (const auto [other, is_new] = taken.emplace(job.output, job.input); !is_new) {
      throw UsageError(fmt::format("{} and {} would both be written to {}; run them one by one",
                                   other->second, job.input, job.output));
    }
    refuse_own_input(job);
  }
  create_folder(output);
  return jobs;
}

}  // namespace mend
