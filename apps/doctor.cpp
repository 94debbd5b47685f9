// mend doctor: what this machine offers and what of it is used, for a bug report or a slow run.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/program.h"
#include "engine/gpu.h"
#include "engine/optional_libraries.h"
#include "engine/parallel.h"
#include "kernels/catalogue.h"
#include "models/registry.h"
#include "restore/image_file.h"
#include "train/replicas.h"
#include "weights/catalogue.h"
#include "weights/download.h"
#include "weights/pull.h"

namespace mend {
namespace {

namespace fs = std::filesystem;

struct Finding {
  std::string subject, state;
};

/// The text behind the first "name   : text" of one of Linux' /proc files; empty if there is none.
std::string proc_entry(const char* path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.rfind(name, 0) != 0) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

std::string processor() {
  const std::string name = proc_entry("/proc/cpuinfo", "model name");
  return fmt::format("{}, {} processors online, {} threads in use", name.empty() ? "unknown" : name,
                     sysconf(_SC_NPROCESSORS_ONLN), threads());
}

std::string instructions() {
  const std::vector<std::string> names = instruction_sets();
  std::string others;
  for (std::size_t i = 1; i < names.size(); ++i) others += (i > 1 ? ", " : "") + names[i];
  return fmt::format("{}{}", names.front(), others.empty() ? "" : " (also here: " + others + ")");
}

std::string memory() {
  const double all = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                     static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e9;
  const std::string available = proc_entry("/proc/meminfo", "MemAvailable");
  if (available.empty()) return fmt::format("{:.1f} GB", all);
  return fmt::format(
      "{:.1f} GB, {:.1f} GB of it available; a network takes up to {:.1f} GB of it, see "
      "--memory",
      all, std::strtod(available.c_str(), nullptr) * 1024 / 1e9,
      static_cast<double>(usual_memory()) / 1e9);
}

std::string image_formats() {
  std::string names;
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kBmp,
                                   ImageFormat::kPnm, ImageFormat::kPam}) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(format));
  }
  return fmt::format("{} are read and written; PNG, PNM and PAM in 16 bits too", names);
}

/// Whether a file could be made there: in the folder, or in the first one above it that exists.
bool can_write_below(fs::path folder) {
  std::error_code error;
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  return access(folder.empty() ? "." : folder.c_str(), W_OK) == 0;
}

std::string cache() {
  const std::string folder = default_cache_folder();
  std::int64_t pulled = 0;
  for (const PublishedCheckpoint& published : catalogue()) {
    std::error_code error;
    if (published.files.empty()) continue;
    pulled += fs::exists(fs::path(folder) / published.name / published.files[0].file, error);
  }
  return fmt::format("{}, {} of {} published checkpoints{}", folder, pulled, catalogue().size(),
                     can_write_below(folder) ? "" : "; cannot be written");
}

/// What CUDA there is, and what of it is used.
std::string cuda() {
  const GpuSurvey& survey = survey_gpus();
  if (survey.runtime.empty()) return survey.why_none + "; --device auto takes the cpu";
  const std::string versions =
      fmt::format("CUDA {}, driver {}", survey.runtime,
                  survey.driver.empty() ? "none" : "up to CUDA " + survey.driver);
  if (survey.gpus.empty()) {
    return fmt::format("{}; {}; --device auto takes the cpu", versions, survey.why_none);
  }
  std::string gpus;
  for (const GpuInfo& gpu : survey.gpus) {
    gpus +=
        fmt::format("; cuda:{} is {}, compute capability {}.{}, {:.1f} GB, {} multiprocessors",
                    gpu.index, gpu.name, gpu.compute_capability / 10, gpu.compute_capability % 10,
                    static_cast<double>(gpu.memory_bytes) / 1e9, gpu.multiprocessors);
  }
  return fmt::format("{}{}; {}", versions, gpus, kNetworksNeedTheCpu);
}

std::string downloads() {
  const std::string obstacle = cannot_fetch();
  return obstacle.empty() ? "libcurl" : obstacle + "; `mend pull` cannot work";
}

std::vector<Finding> examine() {
  return {
      {"mend", MEND_VERSION},
      {"processor", processor()},
      {"instructions", instructions()},
      {"memory", memory()},
      {"device cpu", "f32; all networks and operations run here"},
      {"device cuda", cuda()},
      {"cudnn", describe_cudnn()},
      {"nccl", describe_nccl()},
      {"images", image_formats()},
      {"networks", fmt::format("{} architectures, {} operations (mend models)",
                               architectures().size(), all_ladders().size())},
      {"downloads", downloads()},
      {"processes", mpi_module().empty() ? "this build has no MPI; mend train runs as one"
                                         : "MPI; mpirun -np N mend train ... splits each batch"},
      {"cache", cache()},
  };
}

}  // namespace

void add_doctor(Program& program) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command =
      program.add("doctor", "Tell what this machine offers and what of it is used",
                  "  mend doctor\n  mend doctor --json\n", [json] {
                    nlohmann::ordered_json all;
                    for (const Finding& finding : examine()) {
                      all[finding.subject] = finding.state;
                      if (*json) continue;
                      std::puts(fmt::format("{:<14}{}", finding.subject, finding.state).c_str());
                    }
                    if (*json) std::puts(all.dump().c_str());
                    return ExitCode::kDone;
                  });
  command->add_flag("--json", *json, "Print JSON");
}

}  // namespace mend
