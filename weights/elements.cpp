#include "weights/elements.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace mend {

F32Elements::F32Elements(const StoredTensor& tensor) {
  if (tensor.type == StoredType::kF32 && tensor.strides == dense_strides(tensor.shape)) {
    const std::byte* first = tensor.storage->data() + tensor.offset * std::int64_t{sizeof(float)};
    if (reinterpret_cast<std::uintptr_t>(first) % alignof(float) == 0) {
      values_ = {reinterpret_cast<const float*>(first),
                 static_cast<std::size_t>(tensor.elements())};
      return;
    }
  }
  converted_ = tensor.to_f32();
  values_ = converted_;
}

std::int64_t first_not_finite(std::span<const float> values) {
  // Whole blocks at a time, without a branch for each number: compilers make vector code of that.
  constexpr std::uint32_t kExponent = 0x7F800000u;
  constexpr std::size_t kBlock = 1024;
  for (std::size_t begin = 0; begin < values.size(); begin += kBlock) {
    const auto block = values.subspan(begin, std::min(kBlock, values.size() - begin));
    std::uint32_t bad = 0;
    for (const float value : block) {
      bad |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1u : 0u;
    }
    if (bad == 0) continue;
    const auto found =
        std::find_if(block.begin(), block.end(), [](float value) { return !std::isfinite(value); });
    return static_cast<std::int64_t>(begin) + (found - block.begin());
  }
  return -1;
}

}  // namespace mend
