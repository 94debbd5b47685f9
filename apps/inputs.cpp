#include "apps/inputs.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "engine/error.h"
#include "restore/image_file.h"

namespace mend {
namespace {

namespace fs = std::filesystem;

bool is_pattern(const std::string& text) {
  return text.find_first_of("*?[") != std::string::npos && !fs::exists(text);
}

std::vector<std::string> files_of_pattern(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> files;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  if (files.empty()) throw InputError(fmt::format("{}: no file matches this pattern", pattern));
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

std::vector<std::string> files_of_folder(const std::string& folder) {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const bool hidden = entry.path().filename().string().front() == '.';
    if (!hidden && !entry.is_directory() && looks_like_a_picture(entry.path())) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) throw InputError(fmt::format("{}: no picture in this folder", folder));
  return files;
}

std::vector<std::string> expand(const std::vector<std::string>& inputs) {
  std::vector<std::string> files;
  for (const std::string& input : inputs) {
    std::vector<std::string> found = {input};
    if (input != "-" && fs::is_directory(input)) {
      found = files_of_folder(input);
    } else if (is_pattern(input)) {
      found = files_of_pattern(input);
    }
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
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

bool wants_folder(const std::string& output) {
  return output.back() == '/' || fs::is_directory(output);
}

}  // namespace

std::vector<Job> plan_jobs(const std::vector<std::string>& inputs, const std::string& output) {
  if (output.empty()) throw UsageError("say where the result goes: -o OUTPUT");
  const std::vector<std::string> files = expand(inputs);
  const bool a_folder_was_given =
      std::any_of(inputs.begin(), inputs.end(),
                  [](const std::string& input) { return input != "-" && fs::is_directory(input); });
  if (output == "-") {
    if (files.size() == 1) return {{files[0], output}};
    throw UsageError(
        fmt::format("-o - takes one picture, but there are {}; name a folder", files.size()));
  }
  if (files.size() == 1 && !wants_folder(output) && !a_folder_was_given) {
    format_of_path(output);
    if (fs::exists(output) && fs::exists(files[0]) && fs::equivalent(files[0], output)) {
      throw UsageError(
          fmt::format("{}: the result would replace its own input; choose another name", output));
    }
    return {{files[0], output}};
  }
  if (fs::exists(output) && !fs::is_directory(output)) {
    throw UsageError(
        fmt::format("{} inputs need a folder, but -o {} is a file", files.size(), output));
  }
  std::error_code error;
  fs::create_directories(output, error);
  if (error) {
    throw WriteError(fmt::format("{}: the folder cannot be created: {}", output, error.message()));
  }
  std::vector<Job> jobs;
  std::map<std::string, std::string> taken;
  for (const std::string& file : files) {
    const std::string path = (fs::path(output) / name_in_folder(file)).string();
    if (const auto [other, is_new] = taken.emplace(path, file); !is_new) {
      throw UsageError(fmt::format("{} and {} would both be written to {}; run them one by one",
                                   other->second, file, path));
    }
    if (fs::exists(path) && fs::exists(file) && fs::equivalent(file, path)) {
      throw UsageError(
          fmt::format("{}: the result would replace its own input; choose another folder", file));
    }
    jobs.push_back({file, path});
  }
  return jobs;
}

}  // namespace mend
