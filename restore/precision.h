// In which numbers a network runs.
#pragma once

#include <optional>
#include <string_view>

#include "engine/passes.h"

namespace mend {

enum class Precision {
  kF32,
  kInt8,  ///< layers that can run on 8-bit integers do; engine/calibration.h
  kF16,   ///< images between the layers, and on a GPU the products of those that can take them
  kBF16,
};
std::string_view name_of(Precision precision);
/// "f32", "int8", "f16" or "bf16". Throws UsageError for other names.
Precision precision_named(std::string_view name);
/// What a plan makes narrow images with, where they have 16 bits.
std::optional<NarrowImages> narrow_images_of(Precision precision);
/// Whether images between layers have 16 bits.
constexpr bool is_narrow(Precision precision) {
  return precision == Precision::kF16 || precision == Precision::kBF16;
}

}  // namespace mend
