// What the floors above know of a network: how to feed it, and a function from inputs to outputs.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/plan.h"
#include "engine/tensor.h"

namespace mend {

/// Keeps the order of the entries, so that descriptions read as the constructors do.
using Json = nlohmann::ordered_json;

/// Which channels of a picture a network was trained on.
enum class Colour {
  kRgb,            ///< red, green, blue
  kGray,           ///< one full-range gray channel; a colour picture goes by its luma
  kLightness,      ///< CIE L* in 0..white (100); the first output is a*b*
  kGrayLightness,  ///< three channels of the gray that CIE L* alone makes; the output is a*b*
  kLuma,           ///< Y of BT.601 with its limited range: 16/255 is black, 235/255 is white
};

/// What a network must be told beside the picture.
enum class Condition {
  kNone,
  kSigma,            ///< a second input {N,1,1,1}: sigma
  kSigmaMap,         ///< one more channel of the input, sigma everywhere
  kBlurAndSigmaMap,  ///< 15 more channels, the blur kernel's coefficients, and the same
  kQuality,          ///< perhaps a second input {N,1,1,1}: 1 − quality/100; without it, blind
  kColourHints,      ///< perhaps two more inputs: a*b* {N,H,W,2}, and where they count {N,H,W,1}
  kMask,             ///< a second input {N,H,W,1}: 1 in the hole that is to be filled, else 0
  kKnownMask,  ///< a channel before the picture's: 0.5 outside the hole, -0.5 in it, where the
               ///< picture is 0
  kMaskMap,    ///< one more channel of the input: 1 in the hole, where the picture is 0, else 0
};

/// What tiles do to a network's result. A test holds the word of every network against its trace.
enum class TilePolicy {
  /// Each pixel depends on pixels near it. Tiles with a halo as wide as the receptive field give the
  /// result of the whole picture, but for rounding.
  kExactHalo,
  /// The same, if tiles start where the windows do that the network cuts the picture into: tiles are
  /// moved to multiples of the traced grid.
  kWindowAligned,
  /// A pixel may depend on all others, on the picture's size, or the network takes pictures of one
  /// size alone. The picture is computed in one piece while memory lasts; tiles change the result,
  /// and the program says so.
  kWholeImage,
};

/// "exact halo", "window-aligned" or "whole image"
std::string_view name_of(TilePolicy policy);

struct Traits {
  /// The one trait that no network may leave unsaid.
  explicit Traits(TilePolicy policy) : tile_policy(policy) {}

  /// What it is for; models/task.h lists them.
  std::vector<std::string> tasks;
  int scale = 1;  ///< output pixels per input pixel, along each axis
  /// The picture must be enlarged by this factor before, by MATLAB's bicubic: SRCNN and VDSR
  /// sharpen what bicubic left. 0: by any factor.
  int enlarge_first = 1;
  Colour colour = Colour::kRgb;
  float black = 0;  ///< the value of no brightness, likewise; below 0 for networks on [-1,1]
  float white = 1;  ///< the value of full brightness, of inputs and of the first output
  Condition condition = Condition::kNone;
  /// Height and width from which on the network can take a picture.
  int smallest = 1;
  /// Side of the square pictures that its authors run it on, whatever the photo; 0: any size.
  int working_size = 0;
  std::vector<std::string> inputs = {"input"};
  int optional_inputs = 0;                        ///< how many of the last inputs may be left out
  std::vector<std::string> outputs = {"output"};  ///< the first is the picture
  /// Outputs that are rows of tokens, [N,1,T,C]; others are images.
  std::vector<std::string> token_outputs = {};
  int input_channels = 3;  ///< of the first input, conditions included
  TilePolicy tile_policy;
  /// The halo of tiles that is wide enough in practice where the receptive field is too wide to pay
  /// for: its worst error is below half a grey level (tests/restore). 0: the receptive field.
  int overlap = 0;
  /// Why tiles change the result although the traced footprint does not say so; else empty.
  std::string tiles_change;
  /// Which of the 16-bit types its images fit: f16, eight times as exact, unless they outgrow its 65504, as measured with
  /// published weights (docs/gpu.md); bf16 of networks with attention, unless measured.
  DType narrow_type = DType::kF16;

  bool takes_sigma() const {
    return condition == Condition::kSigma || condition == Condition::kSigmaMap ||
           condition == Condition::kBlurAndSigmaMap;
  }
  bool fills_holes() const {
    return condition == Condition::kMask || condition == Condition::kKnownMask ||
           condition == Condition::kMaskMap;
  }
  bool gives_colours() const {
    return colour == Colour::kLightness || colour == Colour::kGrayLightness;
  }
  /// Channels of the picture itself.
  int picture_channels() const {
    return colour == Colour::kRgb || colour == Colour::kGrayLightness ? 3 : 1;
  }
};

/// Values for what Traits::condition asks.
struct Conditions {
  float sigma = 0;  ///< standard deviation of the noise, in units of full brightness (25/255)
  /// The 15 coefficients of the blur kernel in SRMD's basis; empty: no blur (a delta kernel).
  std::vector<float> blur = {};
  float quality = 0;  ///< of the JPEG that the picture was, 1 to 100; 0: not known
  Tensor mask = {};   ///< {N,H,W,1} like the picture: 1 in the hole, else 0
  /// {N,H,W,3} like the picture: a*, b*, and 1 where they are what the user wants, else 0; or none.
  Tensor colour_hints = {};
};

/// The same parameters run in another published way.
struct NetworkVariant {
  std::string name;  ///< "NAFNetLocal (...)"; empty: there is none
  Network forward;   ///< as Model::forward
};

/// A network with its parameters, ready to run.
struct Model {
  std::string name;               ///< the architecture's, as in the registry: "rrdbnet"
  std::string description;        ///< "RRDBNet(num_feat 64, num_block 23, ...)"
  bool made_up = false;           ///< the parameters; see untrained_model
  Json hyperparameters;           ///< all of them, with the official constructor's names
  std::int64_t parameters;        ///< how many numbers training could change
  std::vector<std::string> keys;  ///< of the tensors in use, buffers included; official names
  Traits traits;
  /// The inputs of traits.inputs -> the outputs of traits.outputs, [N,H,W,C], not clipped.
  /// Throws ShapeError if the inputs do not fit. Shares the parameters with its copies.
  Network forward;
  /// What its authors publish for pictures larger than those it was trained on: statistics of a
  /// neighbourhood where `forward` takes those of the whole picture.
  NetworkVariant local;
};

/// The shapes of the inputs that `model` must be given for a picture of height x width.
Shapes input_shapes(const Model& model, int height, int width);

/// The inputs of `model` for a picture [N,H,W,picture_channels] in 0..white. Reads only the traits.
/// Throws UsageError if the conditions do not suit the network.
std::vector<Tensor> network_inputs(const Model& model, const Tensor& picture,
                                   const Conditions& conditions);

}  // namespace mend
