#include "restore/face_detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/diagnose.h"
#include "engine/error.h"
#include "engine/plan.h"
#include "restore/imresize.h"

namespace mend {
namespace {

constexpr int kSteps[] = {8, 16, 32};
constexpr std::size_t kSizes = std::size(kSteps);
constexpr int kAnchors = 2;
constexpr double kSides[kSizes][kAnchors] = {{16, 32}, {64, 128}, {256, 512}};  // of the priors
constexpr double kCentreVariance = 0.1, kExtentVariance = 0.2;

double area(const DetectedFace& face) {
  return (face.right - face.left) * (face.bottom - face.top);
}

/// What two boxes have in common, of what they cover together.
double intersection_over_union(const DetectedFace& a, const DetectedFace& b) {
  const double w = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double h = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (w <= 0 || h <= 0) return 0;
  return w * h / (area(a) + area(b) - w * h);
}

struct Rows {
  const float *loc, *landmarks;  // of one anchor
};

DetectedFace decode(const Rows& rows, double score, Point prior, double side) {
  const double reach = kCentreVariance * side;
  const Point centre{prior.x + reach * rows.loc[0], prior.y + reach * rows.loc[1]};
  const double w = side * std::exp(kExtentVariance * rows.loc[2]);
  const double h = side * std::exp(kExtentVariance * rows.loc[3]);
  DetectedFace face{
      centre.x - w / 2, centre.y - h / 2, centre.x + w / 2, centre.y + h / 2, score, {}};
  for (std::size_t i = 0; i < face.points.size(); ++i) {
    face.points[i] = {prior.x + reach * rows.landmarks[2 * i],
                      prior.y + reach * rows.landmarks[2 * i + 1]};
  }
  return face;
}

void check_outputs(const std::vector<Tensor>& outputs) {
  bool fits = outputs.size() == 3 * kSizes;
  for (std::size_t i = 0; fits && i < kSizes; ++i) {
    const Shape loc = outputs[i].shape();
    const auto like = [&](int numbers) { return Shape{1, loc.h, loc.w, kAnchors * numbers}; };
    fits = loc == like(4) && outputs[kSizes + i].shape() == like(2) &&
           outputs[2 * kSizes + i].shape() == like(10);
  }
  if (!fits) throw ShapeError("face detector: the outputs are not those of RetinaFace");
}

std::vector<DetectedFace> candidates(const std::vector<Tensor>& outputs, double confidence) {
  std::vector<DetectedFace> found;
  for (std::size_t i = 0; i < kSizes; ++i) {
    const View<const float> loc = outputs[i].view<const float>();
    const View<const float> conf = outputs[kSizes + i].view<const float>();
    const View<const float> landmarks = outputs[2 * kSizes + i].view<const float>();
    const int step = kSteps[i];
    for (int h = 0; h < loc.shape.h; ++h)
      for (int w = 0; w < loc.shape.w; ++w)
        for (int k = 0; k < kAnchors; ++k) {
          const double score = conf(0, h, w, 2 * k + 1);
          if (!(score > confidence)) continue;
          const Rows rows{loc.pixel(0, h, w) + 4 * k, landmarks.pixel(0, h, w) + 10 * k};
          found.push_back(decode(rows, score, {(w + 0.5) * step, (h + 0.5) * step}, kSides[i][k]));
        }
  }
  return found;
}

double eye_distance(const DetectedFace& face) {
  return std::hypot(face.points[0].x - face.points[1].x, face.points[0].y - face.points[1].y);
}

/// BGR in 0..255 minus the means of the detector's training, [1,H,W,3].
Tensor detector_input(const Image& image) {
  constexpr float kMeans[] = {104, 117, 123};
  const Tensor pixels = window_to_float(image, 0, 0, image.height, image.width);
  const Tensor input = Tensor::empty({1, image.height, image.width, 3});
  const View<const float> from = pixels.view<const float>();
  const View<float> to = input.view<float>();
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < 3; ++c) {
        to(0, y, x, c) = 255 * from(0, y, x, from.shape.c == 3 ? 2 - c : 0) - kMeans[c];
      }
  return input;
}

void scale(DetectedFace& face, double x, double y) {
  face.left *= x;
  face.right *= x;
  face.top *= y;
  face.bottom *= y;
  for (Point& p : face.points) p = {(p.x + 0.5) * x - 0.5, (p.y + 0.5) * y - 0.5};
}

}  // namespace

std::vector<DetectedFace> decode_faces(const std::vector<Tensor>& outputs,
                                       const DetectorOptions& options) {
  check_outputs(outputs);
  std::vector<DetectedFace> found = candidates(outputs, options.confidence);
  std::stable_sort(found.begin(), found.end(),
                   [](const DetectedFace& a, const DetectedFace& b) { return a.score > b.score; });
  std::vector<DetectedFace> kept;
  for (const DetectedFace& face : found) {
    if (static_cast<int>(kept.size()) == options.most) break;
    const auto hides = [&](const DetectedFace& surer) {
      return intersection_over_union(surer, face) > options.overlap;
    };
    if (std::none_of(kept.begin(), kept.end(), hides)) kept.push_back(face);
  }
  std::erase_if(kept, [&](const DetectedFace& face) {
    return !(eye_distance(face) >= options.eye_distance);
  });
  return kept;
}

std::vector<DetectedFace> detect_faces(const Model& detector, const Image& image,
                                       const TileOptions& tiles, const DetectorOptions& options) {
  const int shorter = std::min(image.width, image.height);
  if (shorter > options.shorter_side) {
    const double factor = static_cast<double>(options.shorter_side) / shorter;
    const auto reduced = [&](int extent) { return static_cast<int>(std::lround(extent * factor)); };
    const Image small = imresize(image, reduced(image.height), reduced(image.width));
    std::vector<DetectedFace> faces = detect_faces(detector, small, tiles, options);
    for (DetectedFace& face : faces) {
      scale(face, static_cast<double>(image.width) / small.width,
            static_cast<double>(image.height) / small.height);
    }
    return faces;
  }
  const Tensor input = detector_input(image);
  std::vector<Tensor> outputs;
  if (tiles.eager) {
    outputs = detector.forward({input});
  } else {
    outputs = Plan(detector.forward, {input.shape()})({input});
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (all_finite(outputs[i])) continue;
    throw NumericError(fmt::format(
        "the face detector's output {} is NaN or infinite; check its weights. Nothing was written",
        detector.traits.outputs[i]));
  }
  return decode_faces(outputs, options);
}

bool is_face_detector(const Model& model) { return model.name == "retinaface"; }

}  // namespace mend
