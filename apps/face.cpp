// mend face: the faces of a photo, or one aligned face.
#include "restore/face.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "apps/model_source.h"
#include "apps/restore_files.h"
#include "engine/log.h"
#include "models/registry.h"
#include "restore/face_detector.h"

namespace mend {
namespace {

struct FaceOptions {
  CommonOptions common;
  ModelSource source;
  FileOptions files;
  bool aligned = false;
  std::string detector;
  std::vector<std::string> landmarks;
  float fidelity = -1;
  int upscale = 1;
};

/// "x,y,x,y,x,y,x,y,x,y"
FacePoints parse_landmarks(const std::string& text) {
  std::vector<double> numbers;
  const char *at = text.data(), *end = text.data() + text.size();
  while (at <= end) {
    double number = 0;
    const auto [rest, error] = std::from_chars(at, end, number);
    if (error != std::errc() || (rest != end && *rest != ',')) break;
    numbers.push_back(number);
    at = rest + 1;
  }
  FacePoints points;
  if (at != end + 1 || numbers.size() != 2 * points.size()) {
    throw UsageError(
        fmt::format("--landmarks {}: write ten numbers x,y,x,y,... in pixels: the eyes, the nose, "
                    "the corners of the mouth, those on the left of the picture first",
                    text));
  }
  for (std::size_t i = 0; i < points.size(); ++i) points[i] = {numbers[2 * i], numbers[2 * i + 1]};
  fit_similarity(points, face_template(512));  // throws if that is no face
  return points;
}

Model load_face_model(const FaceOptions& options) {
  Checkpoint checkpoint = open_checkpoint(options.source.or_own_weights("face").weights);
  Json config = parse_config(options.source.config);
  if (options.fidelity >= 0) {
    const Identified identified = identify(checkpoint);
    if (identified.architecture->name != "codeformer") {
      throw UsageError(fmt::format("--fidelity: {} has no such choice, CodeFormer has",
                                   identified.architecture->title));
    }
    config["w"] = options.fidelity;
  }
  Model model = load_model(std::move(checkpoint), config);
  if (is_face_network(model)) return model;
  if (is_face_detector(model)) {
    throw UsageError(fmt::format(
        "{} finds faces and restores none: give it as --detector, and a CodeFormer or GFPGAN "
        "as -w",
        model.description));
  }
  throw UsageError(fmt::format("{} does not restore faces; use `mend {}`, or `mend run`",
                               model.description, model.traits.tasks.front()));
}

std::optional<Model> load_detector(const FaceOptions& options) {
  if (options.detector.empty()) return std::nullopt;
  Model model = load_model(open_checkpoint(options.detector));
  if (is_face_detector(model)) return model;
  throw UsageError(fmt::format("--detector {}: is a {}, which finds no faces; RetinaFace does",
                               options.detector, model.description));
}

void check(const FaceOptions& options) {
  const int ways = (options.aligned ? 1 : 0) + (options.detector.empty() ? 0 : 1) +
                   (options.landmarks.empty() ? 0 : 1);
  if (ways > 1) {
    throw UsageError("--aligned, --detector and --landmarks exclude each other; give one");
  }
  if (!options.landmarks.empty() && options.files.inputs.size() > 1) {
    throw UsageError("--landmarks are those of one picture; give one input");
  }
  if (options.upscale != 1 && ways == (options.aligned ? 1 : 0)) {
    throw UsageError("--upscale is for photos; an aligned face has the size of the network");
  }
}

/// Where the faces are, for one picture.
std::vector<FacePoints> find_faces(const FaceOptions& options, const std::optional<Model>& detector,
                                   const Image& image, const TileOptions& tiles) {
  std::vector<FacePoints> faces;
  for (const std::string& text : options.landmarks) faces.push_back(parse_landmarks(text));
  if (!detector) return faces;
  TileOptions silent = tiles;
  silent.progress = {};
  for (const DetectedFace& face : detect_faces(*detector, image, silent)) {
    faces.push_back(face.points);
    detail(fmt::format("a face at {:.0f},{:.0f} of {:.0f}x{:.0f} pixels, {:.1f}% sure", face.left,
                       face.top, face.right - face.left, face.bottom - face.top, 100 * face.score));
  }
  if (faces.empty()) warn("no face was found; the picture is kept as it is");
  return faces;
}

ExitCode restore_all(const FaceOptions& options) {
  options.common.apply();
  check(options);
  for (const std::string& text : options.landmarks) parse_landmarks(text);
  const Model model = load_face_model(options);
  const std::optional<Model> detector = load_detector(options);
  FaceRestorer restorer(model);
  const Work work = {
      model.description,
      [&](const std::string&, const Image& image, const TileOptions& tiles, RestoreReport&) {
        const bool tells_where = detector || !options.landmarks.empty();
        if (tells_where) {
          return restorer.restore_faces(image, find_faces(options, detector, image, tiles), tiles,
                                        options.upscale);
        }
        if (!options.aligned && image.width != image.height) {
          throw UsageError(fmt::format(
              "a {}x{} picture is no aligned face, which is square: say where its faces are with "
              "--detector CHECKPOINT (a RetinaFace) or --landmarks x,y,..., or give --aligned",
              image.width, image.height));
        }
        return restorer.restore_aligned(image, tiles);
      }};
  return restore_files(work, options.files, options.common);
}

}  // namespace

void add_face(Program& program) {
  const auto options = std::make_shared<FaceOptions>();
  CLI::App* command = program.add(
      "face", "Restore the faces of pictures",
      "  mend face photo.jpg -w codeformer.pth --detector detection_Resnet50_Final.pth -o out.png\n"
      "  mend face photo.jpg -w GFPGANv1.4.pth -o out.png \\\n"
      "      --landmarks 301,220,362,221,330,262,305,301,360,300\n"
      "  mend face aligned_faces/ -w codeformer.pth --aligned --fidelity 0.7 -o restored/\n"
      "An aligned face is a square picture as FFHQ has them, eyes at 47% of its height.\n",
      [options] { return restore_all(*options); });
  options->files.add_to(*command);
  options->source.add_to(*command);
  command->add_flag("--aligned", options->aligned,
                    "Each input is one aligned face; so are square pictures without this");
  command->add_option("--detector", options->detector, "A RetinaFace, which finds the faces")
      ->type_name("CHECKPOINT");
  command
      ->add_option("--landmarks", options->landmarks,
                   "Both eyes, nose, both corners of the mouth, those on the left first, as "
                   "x,y,x,y,...; once for each face")
      ->allow_extra_args(false)
      ->type_name("X,Y,...");
  command
      ->add_option(
          "--fidelity", options->fidelity,
          "Of CodeFormer: 0 the best looking face, 1 the most like the input; 0.5 is usual")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--upscale", options->upscale, "Enlarge the photo by this, by bicubic")
      ->capture_default_str()
      ->check(CLI::Range(1, 4));
  options->common.add_to(*command);
}

}  // namespace mend
