#include "apps/program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "apps/device_option.h"
#include "engine/ladder.h"
#include "engine/log.h"
#include "engine/parallel.h"
#include "kernels/catalogue.h"

namespace mend {
namespace {

void force_kernel(const std::string& choice) {
  const std::size_t equals = choice.find('=');
  if (equals == std::string::npos) {
    throw UsageError(
        fmt::format("--kernel {}: write op=variant, for example conv2d=direct", choice));
  }
  const std::string op = choice.substr(0, equals);
  const std::string rung = choice.substr(equals + 1);
  std::string known;
  for (const LadderSummary& ladder : all_ladders()) {
    if (ladder.op != op) continue;
    for (const std::string_view name : ladder.rungs) {
      if (name == rung) return force_variant(op, rung);
      known += fmt::format(" {}", name);
    }
    throw UsageError(fmt::format("--kernel {}: {} has the variants{}", choice, op, known));
  }
  for (const LadderSummary& ladder : all_ladders()) {
    // Those of training have their operation's name in front.
    if (!ladder.op.ends_with("_gradient")) known += fmt::format(" {}", ladder.op);
  }
  throw UsageError(fmt::format("--kernel {}: there is no operation {}; there are{}, and gradients",
                               choice, op, known));
}

}  // namespace

std::int64_t usual_memory() {
  // Holds SwinIR-light x2 and NAFNet on 1920x1080 uncut (3.5 GB, 1.4 GB), and Restormer in three
  // tiles; the process with pictures and weights then stays below 6 GB.
  constexpr std::int64_t kMost = 4'000'000'000;
  std::int64_t there = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  std::int64_t group = 0;  // the file says "max" where there is no limit
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> group && group > 0) {
    there = std::min(there, group);
  }
  return std::min(there / 2, kMost);
}

std::int64_t parse_bytes(const std::string& text) {
  std::size_t used = 0;
  double value = -1;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
  }
  const std::string unit = text.substr(used);
  double factor = 0;
  if (unit.empty() || unit == "B") factor = 1;
  if (unit == "k" || unit == "K" || unit == "kB") factor = 1e3;
  if (unit == "M" || unit == "MB") factor = 1e6;
  if (unit == "G" || unit == "GB") factor = 1e9;
  if (!(value > 0) || factor == 0 || !(value * factor < 1e15)) {
    throw UsageError(fmt::format("'{}' is no amount of memory; write auto, 800M or 1.5G", text));
  }
  return static_cast<std::int64_t>(value * factor);
}

void CommonOptions::add_to(CLI::App& command) {
  const std::string group = "Common options";
  command.add_option("--tile", tile, "Cut the image into tiles: auto, off, or the size in pixels")
      ->capture_default_str()
      ->group(group);
  command
      .add_flag("--tile-exact", tile_exact,
                "Tiles overlap by the whole receptive field, however much that is")
      ->group(group);
  command
      .add_option("--memory", memory,
                  "What the network may take with --tile auto: 800M, 2G; auto is half of the "
                  "machine's, 4G at most, and three quarters of a GPU's")
      ->capture_default_str()
      ->group(group);
  command
      .add_option(
          "--device", device,
          "auto, cpu, cuda:0, several GPUs such as cuda:0,cuda:1, or cuda:all of them; they "
          "share out pictures, and the tiles of one picture")
      ->capture_default_str()
      ->group(group);
  command.add_option("--threads", threads, "Threads to compute on; 0 takes all")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024))
      ->group(group);
  command
      .add_option(
          "--precision", precision,
          "f32; f16 and bf16: images between layers take half the memory; int8: 3x3 convolutions "
          "on 8-bit integers, faster and less exact; auto: f32 on the CPU, on a GPU f16, or bf16 "
          "for networks whose images need its range")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--kernel", kernels, "Force an implementation: op=variant, such as conv2d=direct")
      ->allow_extra_args(false)  // else it would take the pictures behind it too
      ->group(group);
  command
      .add_option("--cuda-graph", cuda_graph,
                  "On a GPU: on launches a network at once from its second run on, off step by "
                  "step; same result")
      ->capture_default_str()
      ->check(CLI::IsMember({"on", "off"}))
      ->group(group);
  command.add_flag("--eager", eager, "Run operation by operation instead of a plan; same result")
      ->group(group);
  command.add_flag("--json", json, "Print results as JSON, a line each")->group(group);
  command.add_flag("-q,--quiet", quiet, "Print errors only")->group(group);
  command.add_flag("-v,--verbose", verbose, "Say what is done, which kernels run and why")
      ->group(group);
}

Devices CommonOptions::chosen_devices() const { return devices_named(device); }

Device& CommonOptions::chosen_device() const {
  const Devices devices = chosen_devices();
  if (devices.size() == 1) return *devices.front();
  throw UsageError(
      fmt::format("--device {}: this command computes on one device; name one", device));
}

void CommonOptions::apply(bool takes_gpu) const {
  if (quiet) set_log_level(LogLevel::kQuiet);
  if (verbose) set_log_level(LogLevel::kVerbose);
  if (threads > 0) set_threads(threads);
  const bool on_gpu = chosen_devices().front()->kind() != DeviceKind::kCpu;
  if (on_gpu && !takes_gpu) {
    throw DeviceError(fmt::format(
        "--device {}: this command computes on the CPU alone; use --device cpu", device));
  }
  tell_unlike_gpus(device);
  precision_named(precision);
  clear_forced_variants();
  for (const std::string& choice : kernels) force_kernel(choice);
}

PlanOptions CommonOptions::plan_options(const Traits& traits,
                                        const std::optional<Calibration>& calibration) const {
  Device& chosen = chosen_device();
  const Precision runs_in = precision_for(precision_named(precision), traits.narrow_type, chosen);
  return {.calibration = calibration ? &*calibration : nullptr,
          .device = &chosen,
          .narrow = narrow_images_of(runs_in),
          .records = records()};
}

TileOptions CommonOptions::tiles() const {
  TileOptions options;
  options.exact = tile_exact;
  options.eager = eager;
  options.devices = chosen_devices();
  options.records = records();
  options.precision = precision_named(precision);
  if (memory == "auto") {
    options.memory_bytes = usual_memory_of(device);
    options.fallback_memory_bytes = usual_memory();
  } else {
    options.memory_bytes = options.fallback_memory_bytes = parse_bytes(memory);
  }
  if (tile == "auto") return options;
  if (tile == "off") {
    options.mode = TileOptions::Mode::kOff;
    return options;
  }
  options.mode = TileOptions::Mode::kFixed;
  std::size_t used = 0;
  try {
    options.size = std::stoi(tile, &used);
  } catch (const std::exception&) {
  }
  if (used != tile.size() || options.size < 1) {
    throw UsageError(
        fmt::format("--tile {}: write auto, off, or a size in pixels such as 256", tile));
  }
  return options;
}

CLI::App* Program::add(const std::string& name, const std::string& description,
                       const std::string& examples, std::function<ExitCode()> run) {
  CLI::App* command = app.add_subcommand(name, description);
  command->footer("Examples:\n" + examples);
  command->callback([this, run = std::move(run)] { chosen = run; });
  return command;
}

}  // namespace mend
