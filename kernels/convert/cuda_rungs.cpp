// From the tensors to the launch of their types.
#include "kernels/convert/cuda.h"
#include "kernels/convert/rungs.h"
#include "kernels/narrow_type.h"

namespace mend {

void convert_cuda(const Tensor& x, const Tensor& y) {
  const bool narrows = x.dtype() == DType::kF32;
  with_narrow_type(narrows ? y.dtype() : x.dtype(), [&]<class T>() {
    if (narrows) return launch_convert<float, T>(x.view<const float>(), y.view<T>());
    launch_convert<T, float>(x.view<const T>(), y.view<float>());
  });
}

}  // namespace mend
