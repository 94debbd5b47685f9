// The weights of SSIM's windows; device code includes this alone.
#pragma once

namespace mend {

constexpr int kSsimTaps = 11;

/// A window of kSsimTaps x kSsimTaps pixels is weighted by the outer product of these with themselves; their
/// sum is 1.
struct SsimTaps {
  double weights[kSsimTaps];
};

}  // namespace mend
