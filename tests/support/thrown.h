// What an exception says.
#pragma once

#include <doctest/doctest.h>

#include <string>

namespace mend::test {

/// The message of the Exception that body() throws; fails if it throws none. Others are passed on.
template <class Exception, class Body>
std::string thrown(const Body& body) {
  try {
    body();
  } catch (const Exception& error) {
    return error.what();
  }
  FAIL("nothing was thrown");
  return {};
}

}  // namespace mend::test
