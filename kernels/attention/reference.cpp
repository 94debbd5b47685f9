// The truth: scores, softmax and weighted means as attention.h states them, in double.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/attention/variants.h"
#include "kernels/attention/windows.h"

namespace mend {
namespace {

void softmax(std::vector<double>& scores) {
  double largest = scores.front(), sum = 0;
  for (const double score : scores) largest = std::max(largest, score);
  for (double& score : scores) sum += score = std::exp(score - largest);
  for (double& score : scores) score /= sum;
}

double dot(const float* q, const float* k, int count) {
  double sum = 0;
  for (int d = 0; d < count; ++d) sum += double(q[d]) * k[d];
  return sum;
}

/// One query's attention within window (i, j) of image n, for the channels from `first` on.
struct WindowQuery {
  const op::WindowAttention& op;
  const AttentionCall& call;
  const WindowGrid& grid;
  int n, i, j, head;

  double score(int r, int s, int kr, int ks) const {
    const int depth = call.q.shape.c / op.heads, first = head * depth;
    const auto q = grid.query(i, j, r, s), k = grid.key(i, j, kr, ks);
    double sum = 0;
    if (!k.outside) {
      sum = op.scale *
            dot(call.q.pixel(n, q.h, q.w) + first, call.k.pixel(n, k.h, k.w) + first, depth);
    }
    if (call.bias) {
      sum += call.bias(0, head, kr * op.key_window_w() + ks, r * op.window_w + s);
    }
    if (grid.is_masked(i, j) && grid.region(i, j, r, s) != grid.region(i, j, kr, ks)) {
      sum += mask_value(op.mask);
    }
    return sum;
  }

  void attend(int r, int s) const {
    std::vector<double> weights;
    for (int kr = 0; kr < op.key_window_h(); ++kr)
      for (int ks = 0; ks < op.key_window_w(); ++ks) weights.push_back(score(r, s, kr, ks));
    softmax(weights);
    const int depth = call.v.shape.c / op.heads;
    const auto q = grid.query(i, j, r, s);
    for (int c = head * depth; c < (head + 1) * depth; ++c) {
      double sum = 0;
      for (int kr = 0; kr < op.key_window_h(); ++kr)
        for (int ks = 0; ks < op.key_window_w(); ++ks) {
          const auto k = grid.key(i, j, kr, ks);
          if (!k.outside) sum += weights[kr * op.key_window_w() + ks] * call.v(n, k.h, k.w, c);
        }
      call.y(n, q.h, q.w, c) = static_cast<float>(sum);
    }
  }
};

}  // namespace

void window_attention_reference(const op::WindowAttention& op, const AttentionCall& call) {
  const WindowGrid grid(op, call.q.shape);
  for (int n = 0; n < call.q.shape.n; ++n)
    for (int i = 0; i < grid.I; ++i)
      for (int j = 0; j < grid.J; ++j)
        for (int head = 0; head < op.heads; ++head)
          for (int r = 0; r < op.window_h; ++r)
            for (int s = 0; s < op.window_w; ++s) {
              WindowQuery{op, call, grid, n, i, j, head}.attend(r, s);
            }
}

void attention_reference(const op::Attention& op, const AttentionCall& call) {
  const auto [N, H, Tq, C] = call.q.shape;
  const int Tk = call.k.shape.w;
  const int depth = C / op.heads, depth_v = call.v.shape.c / op.heads;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int head = 0; head < op.heads; ++head)
        for (int q = 0; q < Tq; ++q) {
          std::vector<double> weights(Tk);
          for (int k = 0; k < Tk; ++k) {
            weights[k] = op.scale * dot(call.q.pixel(n, h, q) + head * depth,
                                        call.k.pixel(n, h, k) + head * depth, depth);
          }
          softmax(weights);
          for (int c = head * depth_v; c < (head + 1) * depth_v; ++c) {
            double sum = 0;
            for (int k = 0; k < Tk; ++k) sum += weights[k] * call.v(n, h, k, c);
            call.y(n, h, q, c) = static_cast<float>(sum);
          }
        }
}

namespace {

/// Σ_p x[p,i] · z[p,j] over the pixels of image n.
double dot_over_pixels(View<const float> x, int i, View<const float> z, int j, int n) {
  double sum = 0;
  for (int h = 0; h < x.shape.h; ++h)
    for (int w = 0; w < x.shape.w; ++w) sum += double(x(n, h, w, i)) * z(n, h, w, j);
  return sum;
}

double length_over_pixels(View<const float> x, int i, int n) {
  return std::max(std::sqrt(dot_over_pixels(x, i, x, i, n)), 1e-12);
}

}  // namespace

void channel_attention_reference(const op::ChannelAttention& op, const AttentionCall& call) {
  const auto [N, H, W, C] = call.q.shape;
  const int depth = C / op.heads;
  for (int n = 0; n < N; ++n)
    for (int i = 0; i < C; ++i) {
      const int head = i / depth, first = head * depth;
      std::vector<double> weights(depth);
      for (int j = 0; j < depth; ++j) {
        weights[j] = call.bias.data[head] * dot_over_pixels(call.q, i, call.k, first + j, n) /
                     length_over_pixels(call.q, i, n) / length_over_pixels(call.k, first + j, n);
      }
      softmax(weights);
      for (int h = 0; h < H; ++h)
        for (int w = 0; w < W; ++w) {
          double sum = 0;
          for (int j = 0; j < depth; ++j) sum += weights[j] * call.v(n, h, w, first + j);
          call.y(n, h, w, i) = static_cast<float>(sum);
        }
    }
}

}  // namespace mend
