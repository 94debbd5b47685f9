// A stored tensor's numbers without a copy, where the file has them as they are needed.
#pragma once

#include <span>
#include <vector>

#include "weights/checkpoint.h"

namespace mend {

/// All elements as f32 in row-major order: in the storage itself if it holds dense, aligned f32, as
/// the large files do, else converted. Valid as long as this object and the tensor's storage are.
class F32Elements {
 public:
  explicit F32Elements(const StoredTensor& tensor);
  F32Elements(const F32Elements&) = delete;
  F32Elements& operator=(const F32Elements&) = delete;

  std::span<const float> values() const { return values_; }

 private:
  std::vector<float> converted_;
  std::span<const float> values_;
};

/// The index of the first number that is NaN or infinite; -1 if there is none.
std::int64_t first_not_finite(std::span<const float> values);

}  // namespace mend
