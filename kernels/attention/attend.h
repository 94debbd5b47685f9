// The attention of up to 64 queries of one head, whatever their tokens' addresses: what windows and
// plain tokens share.
#pragma once

#include <cstdint>

namespace mend {

/// Queries of one call, at most; a multiple of every vector length.
constexpr int kMostQueries = 64;
/// Keys whose scores are in the cache at a time: 64 x 64 scores are 16 kB.
constexpr int kBlockKeys = 64;

/// One call: y[q] = Σ_k softmax_k(scale · q·k + bias + mask) · v[k] for each of some neighbouring
/// heads. Pointers lead to tokens, which may lie anywhere; the first head's channels start at `first`
/// in q and k, at `first_v` in v and y, and the next head's lie behind them.
struct AttendBlock {
  const float* const* q;
  const float* const* k;
  const float* const* v;
  float* const* y;
  int queries, keys;
  int heads;
  int first, depth;      ///< channels of a head of q and k
  int first_v, depth_v;  ///< of v and y
  float scale;
  const float* bias;  ///< of (head, key, query) at bias[head·head_stride + key·key_stride + query]
  std::int64_t head_stride, key_stride;
  const float* query_region;  ///< `mask` is added where a query's and a key's region differ
  const float* key_region;    ///< null: no mask
  float mask;
  /// Tokens that the next call will read or write, to be fetched into the cache during this one.
  const float* const* upcoming;
  int upcoming_tokens, upcoming_channels;
  float* scratch;  ///< attend_scratch_floats numbers, aligned to 64 bytes
};

void attend(const AttendBlock& block);
/// For so many channels of q and v, all heads of a call together.
std::int64_t attend_scratch_floats(int channels, int channels_v);

}  // namespace mend
