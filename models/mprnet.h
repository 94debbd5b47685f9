// MPRNet (Zamir et al. 2021, arXiv:2102.02808, Fig. 2): restores in three stages, quarters of the
// picture first, then halves, then the whole. Parameter names: the authors' MPRNet.
// x: RGB in [0,1], [N,H,W,3]; y: like x, not clipped, and the results of the stages 2 and 1.
//
//  stage 1: quarters ─ shallow_feat1 ─ encoder ═ (joined to halves) ═ decoder ─ sam12 ─ stage 1's y
//                                         ║                             ║         │
//  stage 2: halves ─ shallow_feat2 ─ concat12 ─ encoder ═ (joined) ═ decoder ─ sam23 ─ stage 2's y
//                                                  ║                   ║         │
//  stage 3: whole ─ shallow_feat3 ─────────────── concat23 ────────── orsnet ─ tail ─(+ x)─ y
//
// The parts of a picture are images of a batch: every part has channel weights of its own. Sizes that
// are no multiples of 8 are continued by mirroring.
#pragma once

#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/prelu.h"
#include "models/architecture.h"

namespace mend {

struct MPRNet {
  struct Hyper {
    int n_feat = 80, scale_unetfeats = 48, scale_orsnetfeats = 32, num_cab = 8;
    int kernel_size = 3, reduction = 4;
    bool bias = false;
    Conv2dOptions conv() const { return {.bias = bias}; }
    /// Channels at level 0, 1 or 2 of the U-Nets.
    int level(int l) const { return n_feat + l * scale_unetfeats; }
  };

  /// Channel attention block (Fig. 3b): conv ─ PReLU ─ conv ─ channel weights ─(+)─. All blocks share
  /// one slope, which the file has once for each of them; the first counts.
  struct CAB {
    CAB(const Scope& p, const PRelu& shared, const Hyper& h, int channels)
        : body0(p / "body" / 0, channels, channels, h.kernel_size, h.conv()),
          act(shared),
          body2(p / "body" / 2, channels, channels, h.kernel_size, h.conv()),
          du0(p / "CA" / "conv_du" / 0, channels, channels / h.reduction, 1, h.conv()),
          du2(p / "CA" / "conv_du" / 2, channels / h.reduction, channels, 1, h.conv()) {
      const Scope slope = p / "body" / 1 / "weight";
      if (slope.path() != shared.weight.name()) p.ignore("body.1.weight");
    }

    Tensor operator()(const Tensor& x) const {
      const Tensor y = body2(act(body0(x)));
      return y * sigmoid(du2(relu(du0(global_average_pool(y))))) + x;
    }

    Conv2d body0;
    PRelu act;
    Conv2d body2, du0, du2;
  };

  /// CABs path.0, path.1, ...
  struct CABs {
    CABs(const Scope& p, const PRelu& act, const Hyper& h, int channels, int count) {
      for (int i = 0; i < count; ++i) blocks.emplace_back(p / i, act, h, channels);
    }
    Tensor operator()(Tensor x) const {
      for (const CAB& block : blocks) x = block(x);
      return x;
    }
    std::vector<CAB> blocks;
  };

  /// Half or twice the size, bilinear, then a 1x1 convolution.
  struct DownSample {
    DownSample(const Scope& p, int in, int out)
        : conv(p / "down" / 1, in, out, 1, {.bias = false}) {}
    Tensor operator()(const Tensor& x) const {
      return conv(resize_bilinear(x, x.shape().h / 2, x.shape().w / 2));
    }
    Conv2d conv;
  };
  struct UpSample {
    UpSample(const Scope& p, int in, int out) : conv(p / "up" / 1, in, out, 1, {.bias = false}) {}
    Tensor operator()(const Tensor& x) const {
      return conv(resize_bilinear(x, x.shape().h * 2, x.shape().w * 2));
    }
    Conv2d conv;
  };

  using Levels = std::vector<Tensor>;  // features at full, half and quarter size

  /// The left half of a U-Net. With cross-stage feature fusion (Fig. 3d) it adds, level by level,
  /// what the stage before had in its encoder and decoder.
  struct Encoder {
    Encoder(const Scope& p, const PRelu& act, const Hyper& h, bool fuse);
    Levels operator()(Tensor x, const Levels& encoded = {}, const Levels& decoded = {}) const;

    std::vector<CABs> level;       // encoder_level1 ...
    std::vector<DownSample> down;  // down12, down23
    std::vector<Conv2d> enc, dec;  // csff_enc1 ..., csff_dec1 ...
  };

  /// The right half; skips pass through a CAB.
  struct Decoder {
    Decoder(const Scope& p, const PRelu& act, const Hyper& h);
    Levels operator()(const Levels& encoded) const;

    std::vector<CABs> level;     // decoder_level1 ...
    std::vector<CAB> skip_attn;  // skip_attn1, skip_attn2
    std::vector<UpSample> up;    // up21, up32
  };

  /// Supervised attention module (Fig. 4): makes a picture, and keeps the features that it favours.
  struct SAM {
    SAM(const Scope& p, const Hyper& h)
        : conv1(p / "conv1", h.n_feat, h.n_feat, 1, h.conv()),
          conv2(p / "conv2", h.n_feat, 3, 1, h.conv()),
          conv3(p / "conv3", 3, h.n_feat, 1, h.conv()) {}

    Tensor picture(const Tensor& x, const Tensor& image) const { return conv2(x) + image; }
    Tensor operator()(const Tensor& x, const Tensor& picture) const {
      return conv1(x) * sigmoid(conv3(picture)) + x;
    }
    Conv2d conv1, conv2, conv3;
  };

  /// Original resolution block: CABs and a convolution, which never has a bias, with a skip
  /// (Fig. 3c).
  struct ORB {
    ORB(const Scope& p, const PRelu& act, const Hyper& h, int channels)
        : cabs(p / "body", act, h, channels, h.num_cab),
          conv(p / "body" / h.num_cab, channels, channels, h.kernel_size, {.bias = false}) {}
    Tensor operator()(const Tensor& x) const { return conv(cabs(x)) + x; }
    CABs cabs;
    Conv2d conv;
  };

  /// Original resolution subnetwork: three ORBs, each followed by a level of stage 2's features.
  struct ORSNet {
    ORSNet(const Scope& p, const PRelu& act, const Hyper& h);
    Tensor operator()(Tensor x, const Levels& encoded, const Levels& decoded) const;

    std::vector<ORB> orb;                               // orb1 ...
    std::vector<Conv2d> conv_enc, conv_dec;             // conv_enc1 ...
    std::vector<std::vector<UpSample>> up_enc, up_dec;  // for levels 1, 2: one step, two steps
  };

  /// A 3x3 convolution and a CAB.
  struct ShallowFeatures {
    ShallowFeatures(const Scope& p, const PRelu& act, const Hyper& h)
        : conv(p / 0, 3, h.n_feat, h.kernel_size, h.conv()), cab(p / 1, act, h, h.n_feat) {}
    Tensor operator()(const Tensor& x) const { return cab(conv(x)); }
    Conv2d conv;
    CAB cab;
  };

  MPRNet(const Scope& p, const Hyper& h);

  /// -> y, stage 2's and stage 1's results
  std::vector<Tensor> operator()(const Tensor& image) const;

  PRelu act;  // the one slope
  ShallowFeatures shallow_feat1, shallow_feat2, shallow_feat3;
  Encoder stage1_encoder;
  Decoder stage1_decoder;
  Encoder stage2_encoder;
  Decoder stage2_decoder;
  ORSNet stage3_orsnet;
  SAM sam12, sam23;
  Conv2d concat12, concat23, tail;
};

Architecture mprnet();

}  // namespace mend
