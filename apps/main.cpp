// The `mend` program: parses the command line, runs the chosen subcommand, and turns every failure
// into one line on stderr and an exit code.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string_view>

#include "apps/program.h"
#include "engine/atomic_file.h"
#include "engine/cancel.h"
#include "engine/log.h"

namespace mend {
namespace {

/// The first signal lets the work stop between two steps; the second ends the program at once.
extern "C" void stop(int) {
  if (cancel_requested()) {
    remove_part_files();
    _exit(static_cast<int>(ExitCode::kInterrupted));
  }
  request_cancel();
}

void handle_signals() {
  struct sigaction action {};
  action.sa_handler = stop;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a write error with a message
  std::signal(SIGXFSZ, SIG_IGN);  // so is the limit of file sizes
}

/// Lists and JSON go through stdio, which keeps errors to itself until it is asked.
void check_standard_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  const bool reader_left = poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
  if (reader_left) return;  // `mend models | head` has all it wants
  throw WriteError("standard output: cannot be written; is the disk full?");
}

int failed(ExitCode code, const std::string& message) {
  report_error(message);
  return static_cast<int>(code);
}

bool has_command(const CLI::App& app, const std::string& name) {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  return std::any_of(commands.begin(), commands.end(),
                     [&](const CLI::App* command) { return command->get_name() == name; });
}

struct Command {
  std::string_view name;
  void (*add)(Program& program);
};

// In the order of --help, after the tasks.
constexpr Command kCommands[] = {
    {"colorize", add_colorize}, {"inpaint", add_inpaint}, {"outpaint", add_outpaint},
    {"restore", add_restore},   {"face", add_face},       {"run", add_run},
    {"models", add_models},     {"inspect", add_inspect}, {"explain", add_explain},
    {"convert", add_convert},   {"pull", add_pull},       {"compare", add_compare},
    {"bench", add_bench},       {"train", add_train},     {"finetune", add_finetune},
    {"adapt", add_adapt},       {"degrade", add_degrade}, {"evaluate", add_evaluate},
    {"doctor", add_doctor},
};

/// All commands, or the one that is called: to describe the options of all takes milliseconds.
void add_commands(Program& program, std::string_view called) {
  if (called == "--version") return;
  for (const Command& command : kCommands) {
    if (command.name == called) return command.add(program);
  }
  add_task_commands(program);
  for (const Command& command : kCommands) command.add(program);
}

int run(int argc, char** argv) {
  Program program;
  program.app.require_subcommand(1);
  program.app.set_version_flag("--version", "mend " MEND_VERSION);
  program.app.footer("`mend COMMAND --help` shows a command's options and examples.");
  add_commands(program, argc > 1 ? argv[1] : "");
  try {
    program.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.app.exit(error);  // --help, --version
    const bool unknown = argc > 1 && argv[1][0] != '-' && !has_command(program.app, argv[1]);
    const std::string what =
        unknown ? fmt::format("there is no command '{}'", argv[1]) : std::string(error.what());
    return failed(ExitCode::kUsage, fmt::format("{} (mend --help explains)", what));
  }
  handle_signals();
  const ExitCode code = program.chosen();
  if (code == ExitCode::kDone) check_standard_output();
  return static_cast<int>(code);
}

}  // namespace
}  // namespace mend

int main(int argc, char** argv) {
  try {
    return mend::run(argc, argv);
  } catch (const mend::Error& error) {
    return mend::failed(error.exit_code(), error.what());
  } catch (const std::bad_alloc&) {
    return mend::failed(mend::ExitCode::kOutOfMemory,
                        "memory ran out; --memory caps what tiles take");
  } catch (const std::exception& error) {
    return mend::failed(mend::ExitCode::kSomeFailed, error.what());
  }
}
