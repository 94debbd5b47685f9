#include "weights/elements.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>

using namespace mend;

namespace {

std::shared_ptr<const Bytes> bytes_of(const std::vector<float>& values, std::size_t shift = 0) {
  std::vector<std::byte> bytes(values.size() * sizeof(float) + shift);
  std::memcpy(bytes.data() + shift, values.data(), values.size() * sizeof(float));
  const std::size_t size = values.size() * sizeof(float);
  return Bytes::slice(Bytes::own(std::move(bytes)), shift, size);
}

std::vector<float> list(std::span<const float> values) { return {values.begin(), values.end()}; }

}  // namespace

TEST_CASE("elements: dense f32 stays where it lies, all else is converted") {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const auto storage = bytes_of(values);
  const StoredTensor dense = make_stored_tensor("t", StoredType::kF32, {2, 3}, storage);
  CHECK(static_cast<const void*>(F32Elements(dense).values().data()) == storage->data());
  CHECK(list(F32Elements(dense).values()) == values);

  const StoredTensor turned = permuted("t", dense, {1, 0});
  CHECK(list(F32Elements(turned).values()) == std::vector<float>{1, 4, 2, 5, 3, 6});
  const StoredTensor part =
      make_stored_tensor("t", StoredType::kF32, {3}, {1}, 2, storage);  // from element 2 on
  CHECK(list(F32Elements(part).values()) == std::vector<float>{3, 4, 5});

  for (const std::size_t shift : {1, 2, 3}) {  // safetensors with an odd header
    CAPTURE(shift);
    const StoredTensor odd =
        make_stored_tensor("t", StoredType::kF32, {6}, bytes_of(values, shift));
    CHECK(list(F32Elements(odd).values()) == values);
  }
  const std::vector<std::byte> whole = {std::byte{7}, std::byte{0xFF}};
  const StoredTensor integers = make_stored_tensor("t", StoredType::kI8, {2}, Bytes::own(whole));
  CHECK(list(F32Elements(integers).values()) == std::vector<float>{7, -1});
}

TEST_CASE("elements: the first number that is none is found wherever it is") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kMost = std::numeric_limits<float>::max();
  std::vector<float> values(3000, kMost);
  values[5] = -kMost;
  values[6] = std::numeric_limits<float>::denorm_min();
  CHECK(first_not_finite(values) == -1);
  CHECK(first_not_finite({}) == -1);
  for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
    for (const std::int64_t at : {0, 1, 1023, 1024, 2047, 2999}) {
      CAPTURE(at);
      std::vector<float> damaged = values;
      damaged[static_cast<std::size_t>(at)] = bad;
      damaged.back() = bad;
      CHECK(first_not_finite(damaged) == at);
    }
  }
}
