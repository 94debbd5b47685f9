// Faces of a photo restored one by one: each is turned upright, restored, and put back.
//
//   Image ─ five points ─ warp to the template ─ network ─ warp back ─ soft mask ─(+)─ Image
//     └───────────────────────────────────────────────────────────────────────────┘
#pragma once

#include <vector>

#include "models/network.h"
#include "restore/face_geometry.h"
#include "restore/image.h"
#include "restore/tiled_network.h"

namespace mend {

/// Whether the network restores faces.
bool is_face_network(const Model& model);

/// A network of one size (Traits::working_size), its plan kept from face to face.
class FaceRestorer {
 public:
  /// Throws UsageError if `model` does not restore faces.
  explicit FaceRestorer(const Model& model);

  /// Side of the square that the network takes.
  int size() const { return size_; }

  /// An aligned face, RGB [1,size,size,3] in [0,1] -> the same restored, not clipped.
  /// Throws NumericError that names the layer if a number is NaN or infinite.
  Tensor restore(const Tensor& face, const TileOptions& options);

  /// The picture of one aligned face, resized to size x size and restored. Gray stays gray; alpha is
  /// resized.
  Image restore_aligned(const Image& image, const TileOptions& options);

  /// The picture with the faces at these points restored, `upscale` times as large; its background
  /// is kept, or enlarged by bicubic.
  /// Throws UsageError if five points are no face.
  Image restore_faces(const Image& image, const std::vector<FacePoints>& faces,
                      const TileOptions& options, int upscale = 1);

 private:
  float black_, white_;
  int size_;
  TiledNetwork network_;
};

}  // namespace mend
