// The operations of two numbers by name; device code includes this alone.
#pragma once

namespace mend {

enum class BinaryKind { kAdd, kSubtract, kMultiply, kDivide, kMinimum, kMaximum, kPower };

}  // namespace mend
