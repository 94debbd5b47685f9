#include "kernels/fft/tables.h"

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <numbers>

namespace mend {
namespace {

using Complex = std::complex<double>;

/// exp(−πi·half_turns/length)
Complex unit(std::int64_t half_turns, std::int64_t length) {
  half_turns %= 2 * length;
  return std::polar(
      1.0, -std::numbers::pi * static_cast<double>(half_turns) / static_cast<double>(length));
}

Root rounded(const Complex& value) {
  return {static_cast<float>(value.real()), static_cast<float>(value.imag())};
}

/// 4 as often as possible, then the primes from 2 on; empty if one is larger than kLargestRadix.
std::vector<int> radices_of(int length) {
  std::vector<int> radices;
  while (length % 4 == 0) {
    radices.push_back(4);
    length /= 4;
  }
  for (int radix = 2; length > 1; ++radix) {
    if (radix > kLargestRadix) return {};
    for (; length % radix == 0; length /= radix) radices.push_back(radix);
  }
  return radices;
}

FftStage make_stage(int radix, int blocks, int stride) {
  FftStage stage{radix, blocks, stride, {}, {}};
  for (std::int64_t p = 0; p < blocks; ++p)
    for (int j = 1; j < radix; ++j) {
      stage.twiddles.push_back(rounded(unit(2 * p * j, std::int64_t{radix} * blocks)));
    }
  for (int j = 0; j < radix; ++j) stage.roots.push_back(rounded(unit(2 * j, radix)));
  return stage;
}

/// The smallest 2^a·3^b·5^c that is at least `length`.
int convenient_length(int length) {
  for (;; ++length) {
    int rest = length;
    for (const int prime : {2, 3, 5}) {
      while (rest % prime == 0) rest /= prime;
    }
    if (rest == 1) return length;
  }
}

/// The transform of a convenient length, in double: each prime factor splits x into interleaved
/// parts, whose transforms are put together (Cooley & Tukey 1965). Depth: the factors of the length.
std::vector<Complex> transform(const std::vector<Complex>& x) {
  const std::size_t length = x.size();
  if (length == 1) return x;
  const std::size_t radix = length % 2 == 0 ? 2 : length % 3 == 0 ? 3 : 5;
  const std::size_t part_length = length / radix;
  std::vector<Complex> y(length);
  for (std::size_t part = 0; part < radix; ++part) {
    std::vector<Complex> interleaved;
    for (std::size_t i = part; i < length; i += radix) interleaved.push_back(x[i]);
    const std::vector<Complex> spectrum = transform(interleaved);
    for (std::size_t k = 0; k < length; ++k) {
      y[k] += spectrum[k % part_length] *
              unit(static_cast<std::int64_t>(2 * part * k), static_cast<std::int64_t>(length));
    }
  }
  return y;
}

void make_chirp(FftTables& tables) {
  const std::int64_t length = tables.length;
  const int longer = convenient_length(2 * tables.length - 1);
  tables.convolution = fft_tables(longer);
  // chirp* is even: its values at −k go to the end of the longer period.
  std::vector<Complex> conjugate(static_cast<std::size_t>(longer));
  for (std::int64_t k = 0; k < length; ++k) {
    const Complex chirp = unit(k * k, length);
    tables.chirp.push_back(rounded(chirp));
    conjugate[static_cast<std::size_t>(k)] = std::conj(chirp);
    if (k > 0) conjugate[static_cast<std::size_t>(longer - k)] = std::conj(chirp);
  }
  for (const Complex& value : transform(conjugate)) {
    tables.chirp_spectrum.push_back(rounded(value / double(longer)));
  }
}

std::shared_ptr<const FftTables> make_tables(int length) {
  auto tables = std::make_shared<FftTables>();
  tables->length = length;
  const std::vector<int> radices = radices_of(length);
  if (radices.empty() && length > 1) {
    make_chirp(*tables);
    return tables;
  }
  int blocks = length, stride = 1;
  for (const int radix : radices) {
    blocks /= radix;
    tables->stages.push_back(make_stage(radix, blocks, stride));
    stride *= radix;
  }
  return tables;
}

}  // namespace

std::shared_ptr<const FftTables> fft_tables(int length) {
  static std::mutex mutex;
  static std::map<int, std::shared_ptr<const FftTables>> known;
  {
    const std::lock_guard lock(mutex);
    if (const auto entry = known.find(length); entry != known.end()) return entry->second;
  }
  auto tables = make_tables(length);  // unlocked: it asks for the tables of its convolution
  const std::lock_guard lock(mutex);
  return known.emplace(length, std::move(tables)).first->second;
}

}  // namespace mend
