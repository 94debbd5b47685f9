// In which numbers a network runs.
#pragma once

#include <optional>
#include <string_view>

#include "engine/passes.h"
#include "engine/plan.h"

namespace mend {

enum class Precision {
  kAuto,  ///< precision_for() chooses
  kF32,
  kInt8,  ///< layers that can run on 8-bit integers do; engine/calibration.h
  kF16,   ///< images between the layers, and on a GPU the products of those that can take them
  kBF16,
};
std::string_view name_of(Precision precision);
/// "auto", "f32", "int8", "f16" or "bf16". Throws UsageError for other names.
Precision precision_named(std::string_view name);
/// kAuto for a network of this Traits::narrow_type, others as they are: f32 on a CPU, where 16 bits save memory and little
/// time, that type on a GPU.
Precision precision_for(Precision asked, DType narrow_type, const Device& device);
/// What a plan makes narrow images with, where they have 16 bits. Not for kAuto.
std::optional<NarrowImages> narrow_images_of(Precision precision);
/// Whether images between layers have 16 bits.
constexpr bool is_narrow(Precision precision) {
  return precision == Precision::kF16 || precision == Precision::kBF16;
}

}  // namespace mend
