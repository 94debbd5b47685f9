// What Winograd's F(m x m, 3x3) makes of a weight, U = G g Gᵀ, for the rungs of both devices.
// Lavin & Gray 2016, arXiv:1509.09308; points 0, ±1, ±2, ∞ and, for m = 6, also ±1/2.
#pragma once

namespace mend {

/// G of F(m, 3), m + 2 rows.
template <int kPatch>
struct WinogradG {
  double row[kPatch][3];
};

inline constexpr WinogradG<6> kWinogradG4{{{1.0 / 4, 0, 0},
                                           {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                           {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                           {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                           {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                           {0, 0, 1}}};
inline constexpr WinogradG<8> kWinogradG6{{{1, 0, 0},
                                           {-2.0 / 9, -2.0 / 9, -2.0 / 9},
                                           {-2.0 / 9, 2.0 / 9, -2.0 / 9},
                                           {1.0 / 90, 1.0 / 45, 2.0 / 45},
                                           {1.0 / 90, -1.0 / 45, 2.0 / 45},
                                           {32.0 / 45, 16.0 / 45, 8.0 / 45},
                                           {32.0 / 45, -16.0 / 45, 8.0 / 45},
                                           {0, 0, 1}}};

/// U[i][j] of the weight g of one pair of channels.
template <int kPatch>
constexpr double winograd_weight(const WinogradG<kPatch>& G, const double (&g)[3][3], int i,
                                 int j) {
  double u = 0;
  for (int r = 0; r < 3; ++r)
    for (int s = 0; s < 3; ++s) u += G.row[i][r] * g[r][s] * G.row[j][s];
  return u;
}

/// g of several pairs of channels, side by side.
template <int kPairs>
using WinogradWeights = double[3][3][kPairs];

/// U of several pairs of channels at once: G g first, then its columns, as the transforms of images go, where
/// winograd_weight sums nine products for each of U's numbers. `store(i * kPatch + j, u)` takes U[i][j] of all pairs.
template <int kPatch, int kPairs, typename Store>
void winograd_weights(const WinogradG<kPatch>& G, const WinogradWeights<kPairs>& g,
                      const Store& store) {
  for (int i = 0; i < kPatch; ++i) {
    double row[3][kPairs];  // of G g
    for (int s = 0; s < 3; ++s)
      for (int pair = 0; pair < kPairs; ++pair) {
        row[s][pair] =
            G.row[i][0] * g[0][s][pair] + G.row[i][1] * g[1][s][pair] + G.row[i][2] * g[2][s][pair];
      }
    for (int j = 0; j < kPatch; ++j) {
      double u[kPairs];
      for (int pair = 0; pair < kPairs; ++pair) {
        u[pair] =
            row[0][pair] * G.row[j][0] + row[1][pair] * G.row[j][1] + row[2][pair] * G.row[j][2];
      }
      store(i * kPatch + j, u);
    }
  }
}

}  // namespace mend
