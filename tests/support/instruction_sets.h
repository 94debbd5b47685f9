// Every SIMD instruction set on one machine: otherwise the AVX2 code is never tried on an AVX-512
// computer.
#pragma once

#include <hwy/targets.h>

namespace mend::test {

/// Calls body(name) under each instruction set that was compiled and that this machine has, best
/// first, and leaves the machine's own choice behind, also when body throws.
template <class Body>
void on_every_instruction_set(const Body& body) {
  struct Restore {
    ~Restore() { select(0); }
    static void select(std::int64_t target) {
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
  } restore;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    Restore::select(target);
    body(hwy::TargetName(target));
  }
}

}  // namespace mend::test
