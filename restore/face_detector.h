// Finding faces in a picture with RetinaFace.
#pragma once

#include <vector>

#include "models/network.h"
#include "restore/face_geometry.h"
#include "restore/image.h"
#include "restore/tiled_network.h"

namespace mend {

struct DetectedFace {
  double left = 0, top = 0, right = 0, bottom = 0;  ///< pixels
  double score = 0;                                 ///< probability of a face
  FacePoints points;
};

/// facexlib's values, which GFPGAN and CodeFormer use.
struct DetectorOptions {
  double confidence = 0.97;  ///< boxes that are less sure are left out
  double overlap = 0.4;      ///< of two boxes with more in common (IoU) the surer one stays
  double eye_distance = 5;  ///< pixels between the eyes, below which a face is too small to restore
  /// The surest are kept, before those that are too small go: a broken detector finds faces
  /// everywhere, and each takes seconds.
  int most = 200;
  /// Pictures whose shorter side is longer are reduced to this before.
  int shorter_side = 640;
};

/// What RetinaFace's outputs (models/retinaface.h) for one picture mean, the surest face first; all
/// options but shorter_side apply.
///
///   prior of anchor k at pixel (j, i) of step s: centre ((j + 1/2)·s, (i + 1/2)·s), side m:
///     16 and 32 for s = 8, 64 and 128 for s = 16, 256 and 512 for s = 32
///   centre += 0.1·m·loc[0..1],   extents = m·exp(0.2·loc[2..3]),   point = centre₀ + 0.1·m·landmark
///
/// Throws ShapeError if these are no such outputs.
std::vector<DetectedFace> decode_faces(const std::vector<Tensor>& outputs,
                                       const DetectorOptions& options = {});

/// The faces of `image`, gray or colour, the surest first. `detector` is a RetinaFace.
/// Throws NumericError if the network's outputs are not finite.
std::vector<DetectedFace> detect_faces(const Model& detector, const Image& image,
                                       const TileOptions& tiles,
                                       const DetectorOptions& options = {});

/// Whether the network finds faces.
bool is_face_detector(const Model& model);

}  // namespace mend
