// The attention of up to 64 queries of one head, whatever their tokens' addresses: what windows and
// plain tokens share.
#pragma once

#include <cstdint>

namespace mend {

/// Queries of one call, at most; a multiple of every vector length.
constexpr int kMostQueries = 64;
/// Keys whose scores are in the cache at a time: 64 x 64 scores are 16 kB.
constexpr int kBlockKeys = 64;

/// One call: y[q] = Σ_k softmax_k(scale · q·k + bias + mask) · v[k]. Pointers lead to tokens, which may
/// lie anywhere; the head's channels start at `first` in q and k, at `first_v` in v and y.
struct AttendBlock {
  const float* const* q;
  const float* const* k;
  const float* const* v;
  float* const* y;
  int queries, keys;
  int first, depth;
  int first_v, depth_v;
  float scale;
  const float* bias;          ///< of (key, query) at bias[key·bias_stride + query]; null: none
  std::int64_t bias_stride;   ///< 0: the same for all keys
  const float* query_region;  ///< `mask` is added where a query's and a key's region differ
  const float* key_region;    ///< null: no mask
  float mask;
  float* scratch;  ///< attend_scratch_floats numbers
};

void attend(const AttendBlock& block);
std::int64_t attend_scratch_floats(int depth, int depth_v);

}  // namespace mend
