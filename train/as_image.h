// What a file would hold of a tensor.
#pragma once

#include "restore/image.h"

namespace mend {

/// f32 [1,h,w,1 or 3] in [0,1] as an 8-bit picture, clipped and rounded.
inline Image as_image(const Tensor& x) {
  Image image = make_image(x.shape().w, x.shape().h, x.shape().c, 8);
  store_float(image, 0, 0, x);
  return image;
}

}  // namespace mend
