#include <cmath>

#include "kernels/attention/variants.h"

namespace mend {
namespace {

/// index[q,k] = (dy + offset_h)·columns + dx + offset_w, with (dy, dx) = sign · (query − key).
struct IndexRule {
  int query_h, query_w, key_h, key_w;
  int sign, offset_h, offset_w, columns;
};

Tensor index_by(const IndexRule& rule) {
  const Tensor index = Tensor::empty({1, 1, rule.query_h * rule.query_w, rule.key_h * rule.key_w});
  float* next = index.view<float>().data;
  for (int qr = 0; qr < rule.query_h; ++qr)
    for (int qs = 0; qs < rule.query_w; ++qs)
      for (int kr = 0; kr < rule.key_h; ++kr)
        for (int ks = 0; ks < rule.key_w; ++ks) {
          const int dy = rule.sign * (qr - kr) + rule.offset_h;
          const int dx = rule.sign * (qs - ks) + rule.offset_w;
          *next++ = static_cast<float>(dy * rule.columns + dx);
        }
  return index;
}

}  // namespace

Tensor relative_position_index(int window_h, int window_w) {
  return index_by(
      {window_h, window_w, window_h, window_w, 1, window_h - 1, window_w - 1, 2 * window_w - 1});
}

Tensor overlapping_position_index(int window, int kv_window) {
  const int offset = window - kv_window + 1;
  return index_by(
      {window, window, kv_window, kv_window, -1, offset, offset, window + kv_window - 1});
}

namespace op {

Shape GatherBias::shape(const Shapes& in) const {
  const Shape &table = in[kTable], &index = in[kIndex];
  if (table.n != 1 || table.h != 1 || index.n != 1 || index.h != 1) {
    throw ShapeError(fmt::format(
        "gather_bias: table {} and index {} must be [1,1,entries,heads] and [1,1,queries,keys]",
        to_string(table), to_string(index)));
  }
  return {1, table.c, index.c, index.w};
}

Cost GatherBias::cost(const Shapes& in) const {
  return {0, sizeof(float) * static_cast<double>(in[kTable].elements() + in[kIndex].elements() +
                                                 shape(in).elements())};
}

Footprint GatherBias::footprint(const Shapes&) const { return {}; }

}  // namespace op

void gather_bias_reference(const op::GatherBias&, View<const float> table, View<const float> index,
                           View<float> bias) {
  const int entries = table.shape.w;
  for (int q = 0; q < index.shape.w; ++q)
    for (int k = 0; k < index.shape.c; ++k) {
      const float entry = index(0, 0, q, k);
      // The first comparison fails for NaN too.
      if (!(entry >= static_cast<float>(-entries)) || entry >= static_cast<float>(entries) ||
          entry != std::floor(entry)) {
        throw CheckpointError(
            fmt::format("gather_bias: index {} of query {}, key {} is no row of table {}", entry, q,
                        k, to_string(table.shape)));
      }
      const int row = static_cast<int>(entry) + (entry < 0 ? entries : 0);
      for (int head = 0; head < table.shape.c; ++head) {
        bias(0, head, k, q) = table(0, 0, row, head);
      }
    }
}

}  // namespace mend
