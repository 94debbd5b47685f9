#include "train/replicas.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "engine/cancel.h"
#include "train/fnv1a.h"

namespace mend {
namespace {

ExitCode code_of(const std::exception_ptr& fault) {
  try {
    std::rethrow_exception(fault);
  } catch (const Error& error) {
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    return ExitCode::kOutOfMemory;
  } catch (...) {
    return ExitCode::kSomeFailed;
  }
}

class Alone final : public Replicas {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void start_sum(std::span<float>) override {}
  void advance() override {}
  void finish_sums() override {}
  void sum(std::span<double>) override {}
  void broadcast(std::span<std::byte>) override {}
  void abort(ExitCode code) override { std::_Exit(static_cast<int>(code)); }
};

}  // namespace

bool Replicas::any(bool here) {
  double count = here ? 1 : 0;
  sum({&count, 1});
  return count > 0;
}

double Replicas::mean(double here) {
  sum({&here, 1});
  return here / size();
}

void Replicas::meet(const std::exception_ptr& fault) {
  std::vector<double> codes(static_cast<std::size_t>(size()));
  if (fault) codes[static_cast<std::size_t>(rank())] = static_cast<double>(code_of(fault));
  sum(codes);
  const auto first =
      std::find_if(codes.begin(), codes.end(), [](double code) { return code != 0; });
  if (first == codes.end()) return;
  parted_ = true;
  const auto code = static_cast<ExitCode>(static_cast<int>(*first));
  if (code == ExitCode::kInterrupted) {
    request_cancel();
    check_cancel();
  }
  if (first - codes.begin() == rank()) std::rethrow_exception(fault);
  throw StoppedElsewhere(code);
}

void Replicas::together(const std::function<void()>& work) {
  std::exception_ptr fault;
  try {
    work();
  } catch (...) {
    fault = std::current_exception();
  }
  meet(fault);
}

void Replicas::lead(const std::function<void()>& work) {
  together([&] {
    if (leads()) work();
  });
}

void Replicas::check_same(std::span<const std::byte> bytes, const std::string& what) {
  if (size() == 1) return;
  const std::uint64_t own = fnv1a(bytes);
  std::uint64_t first = own;
  broadcast(std::as_writable_bytes(std::span(&first, 1)));
  together([&] {
    if (first != own) throw UsageError(fmt::format("{} differ from those of rank 0", what));
  });
}

std::shared_ptr<Replicas> alone() { return std::make_shared<Alone>(); }

}  // namespace mend
