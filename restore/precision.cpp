#include "restore/precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/error.h"
#include "kernels/convert/convert.h"

namespace mend {
namespace {

constexpr std::pair<std::string_view, Precision> kPrecisions[] = {{"auto", Precision::kAuto},
                                                                  {"f32", Precision::kF32},
                                                                  {"int8", Precision::kInt8},
                                                                  {"f16", Precision::kF16},
                                                                  {"bf16", Precision::kBF16}};

}  // namespace

std::string_view name_of(Precision precision) {
  return std::ranges::find(kPrecisions, precision, &std::pair<std::string_view, Precision>::second)
      ->first;
}

Precision precision_named(std::string_view name) {
  for (const auto& [known, precision] : kPrecisions) {
    if (known == name) return precision;
  }
  throw UsageError(fmt::format("--precision {}: choose auto, f32, int8, f16 or bf16", name));
}

Precision precision_for(Precision asked, DType narrow_type, const Device& device) {
  if (asked != Precision::kAuto) return asked;
  if (device.kind() == DeviceKind::kCpu) return Precision::kF32;
  return narrow_type == DType::kBF16 ? Precision::kBF16 : Precision::kF16;
}

std::optional<NarrowImages> narrow_images_of(Precision precision) {
  if (precision == Precision::kF16) return narrow_images(DType::kF16);
  if (precision == Precision::kBF16) return narrow_images(DType::kBF16);
  return std::nullopt;
}

}  // namespace mend
