#include "kernels/peak.h"

#include <doctest/doctest.h>

#include "engine/parallel.h"

namespace mend::test {

TEST_CASE("peak: a machine does between 1e8 and 1e14 operations and bytes a second") {
  const int before = threads();
  for (const double peak : {measure_fma_peak(1), measure_stream_peak(1)}) {
    CHECK(peak > 1e8);
    CHECK(peak < 1e14);
  }
  CHECK(threads() == before);
}

}  // namespace mend::test
