// What a one-dimensional transform of one length needs to know, computed once in double.
#pragma once

#include <memory>
#include <vector>

namespace mend {

/// A butterfly of prime radix r costs about r fused multiply-adds an element; Bluestein's two
/// transforms of more than twice the length about as much as r = 90.
constexpr int kLargestRadix = 89;

/// A complex number in a table.
struct Root {
  float re, im;
};

/// One step of the mixed-radix transform: `radix` lines of numbers become one, `blocks` times.
struct FftStage {
  int radix = 1;
  int blocks = 1;              ///< what is left of the length behind this stage
  int stride = 1;              ///< the product of the radices before it
  std::vector<Root> twiddles;  ///< [blocks][radix − 1]: exp(−2πi·p·j/(radix·blocks)), j from 1
  std::vector<Root> roots;     ///< [radix]: exp(−2πi·j/radix)
};

/// Either the stages, or a convolution of a longer, convenient length (Bluestein 1970):
/// with k·n = (k² + n² − (k − n)²)/2,  X[k] = chirp[k] · Σ_n (x[n]·chirp[n]) · chirp*[k − n].
struct FftTables {
  int length = 0;
  std::vector<FftStage> stages;

  std::shared_ptr<const FftTables> convolution;  ///< null if there are stages
  std::vector<Root> chirp;                       ///< [length]: exp(−πi·k²/length)
  std::vector<Root> chirp_spectrum;  ///< [convolution->length]: of chirp*, over that length

  /// The longest line of numbers on the way.
  int work_length() const { return convolution ? convolution->length : length; }
};

/// The tables of `length` >= 1: made at first use and kept, for they are small and read only.
std::shared_ptr<const FftTables> fft_tables(int length);

}  // namespace mend
