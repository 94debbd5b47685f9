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

}  // namespace mend
