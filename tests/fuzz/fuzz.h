// What the fuzz programs share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/error.h"
#include "weights/checkpoint.h"

namespace mend::fuzz {

inline std::shared_ptr<const Bytes> bytes_of(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  return Bytes::own({bytes.begin(), bytes.end()});
}

/// Runs a reader. Errors of ours are what hostile bytes deserve; all else is a finding.
template <class Reader>
int expect_error_or_success(Reader reader) {
  try {
    check_finite(reader());  // reads every element
  } catch (const Error&) {
  }
  return 0;
}

}  // namespace mend::fuzz
