// What all subcommands share: the common options, and how a subcommand is chosen and run.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"
#include "models/network.h"
#include "restore/tiled_network.h"

namespace mend {

/// Why `--device auto` takes the cpu where there is a GPU.
constexpr std::string_view kNetworksNeedTheCpu =
    "not all operations have kernels for a GPU yet; --device cuda asks for it";

/// Options that every subcommand which computes understands.
struct CommonOptions {
  std::string tile = "auto";  ///< auto, off, or pixels
  bool tile_exact = false;
  bool eager = false;
  std::string memory = "auto";  ///< or what parse_bytes takes
  std::string device = "auto";
  int threads = 0;  ///< 0: all
  std::string precision = "f32";
  std::string cuda_graph = "on";     ///< on or off
  std::vector<std::string> kernels;  ///< op=variant
  bool json = false, quiet = false, verbose = false;

  void add_to(CLI::App& command);
  /// Puts threads, forced kernels and the log level into force; checks device and precision.
  /// `takes_gpu`: whether the command computes on a GPU where it is asked to. Throws UsageError or
  /// DeviceError.
  void apply(bool takes_gpu = false) const;
  /// What `--device` names (apps/device_option.h). Throws DeviceError if there is no such GPU.
  Devices chosen_devices() const;
  /// The same for commands that compute on one. Throws UsageError if it names several.
  Device& chosen_device() const;
  /// Whether plans on a GPU become CUDA graphs.
  bool records() const { return cuda_graph == "on"; }
  bool runs_int8() const { return precision == "int8"; }
  /// Where and how a plan of a network runs; `calibration`: for int8.
  PlanOptions plan_options(const Traits& traits,
                           const std::optional<Calibration>& calibration = {}) const;
  TileOptions tiles() const;
};

/// What `--memory auto` lets a network take: half of the memory there is (of the machine or of the
/// control group, whichever is less), at most 4 GB. Not half of what is free now: the tiles, and by
/// them the result of networks that tiles change, would then differ from run to run.
std::int64_t usual_memory();

/// "1.5G", "800M", "64k" or bytes. Throws UsageError.
std::int64_t parse_bytes(const std::string& text);

/// The program: subcommands add themselves and set `chosen` when they are called.
struct Program {
  CLI::App app{"Mend restores images with deep networks.", "mend"};
  std::function<ExitCode()> chosen;

  /// A subcommand whose `run` is called after parsing. `examples` end its --help.
  CLI::App* add(const std::string& name, const std::string& description,
                const std::string& examples, std::function<ExitCode()> run);
};

void add_task_commands(
    Program& program);  // upscale, denoise, dejpeg, lowlight, deblur, derain, dehaze
void add_colorize(Program& program);
void add_inpaint(Program& program);
void add_outpaint(Program& program);
void add_restore(Program& program);
void add_face(Program& program);
void add_run(Program& program);
void add_models(Program& program);
void add_inspect(Program& program);
void add_explain(Program& program);
void add_convert(Program& program);
void add_pull(Program& program);
void add_compare(Program& program);
void add_bench(Program& program);
void add_doctor(Program& program);
void add_train(Program& program);
void add_finetune(Program& program);
void add_adapt(Program& program);
void add_degrade(Program& program);
void add_evaluate(Program& program);

}  // namespace mend
