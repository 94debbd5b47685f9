// The one door to Highway: SIMD code is written once and compiled for every instruction set that
// cmake/dependencies.cmake leaves on; the best that the machine has is chosen at run time.
//
// A SIMD source, kernels/<room>/cpu_<idea>.cpp, looks like this:
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "kernels/<room>/cpu_<idea>.cpp"   // this file: it includes itself
//   #include "kernels/simd.h"                                    // once for every instruction set
//   #include "kernels/<room>/<piece>-inl.h"                      // shared vector code, if any
//
//   HWY_BEFORE_NAMESPACE();
//   namespace mend::HWY_NAMESPACE {          // a namespace of its own for each instruction set
//   namespace {
//   namespace hn = hwy::HWY_NAMESPACE;
//   void scale_row(const float* x, float* y, int count) { ... hn::Load ... }
//   }
//   }
//   HWY_AFTER_NAMESPACE();
//
//   #if HWY_ONCE                             // the ordinary code around it, compiled once
//   namespace mend {
//   HWY_EXPORT(scale_row);
//   void scale(...) { parallel_for(rows, [&](...) { HWY_DYNAMIC_DISPATCH(scale_row)(...); }); }
//   }
//   #endif
//
// Threads and lambdas stay in the part that is compiled once: a lambda does not inherit the
// instruction set of the function around it. Nothing that is laid out in memory for a kernel (packed
// weights) may depend on the vector length, so that whatever packed it, any instruction set runs it.
// Kernels keep vectors in arrays, so the vector length must be known when compiling (not SVE, RVV).
//
// A header <piece>-inl.h is included once for every instruction set too. Its guard flips with
// HWY_TARGET_TOGGLE; kernels/activation/activation-inl.h shows it. No #pragma once, here neither:
// Highway's own guards let each instruction set through once.
#ifdef HWY_TARGET_INCLUDE
#include <hwy/foreach_target.h>
#endif
#include <hwy/highway.h>
