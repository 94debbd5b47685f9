// Activations and their gradients at the speed of memory: even erfc takes fewer instructions than there
// are while eight bytes pass.
#include "kernels/activation/activation.cuh"
#include "kernels/activation/cuda.h"
#include "kernels/cuda/each_element.cuh"

namespace mend {
namespace {

/// Of x.
struct Activating {
  Activation activation;
  __device__ float operator()(const float (&in)[1]) const { return activate(activation, in[0], 0); }
};
/// Of x and the slope.
struct ActivatingWithSlope {
  Activation activation;
  __device__ float operator()(const float (&in)[2]) const {
    return activate(activation, in[0], in[1]);
  }
};
/// Of what is seen and dy.
struct Deriving {
  Activation activation;
  __device__ float operator()(const float (&in)[2]) const {
    return in[1] * derivative(activation, in[0], 0);
  }
};
/// Of what is seen, dy and the slope.
struct DerivingWithSlope {
  Activation activation;
  __device__ float operator()(const float (&in)[3]) const {
    return in[1] * derivative(activation, in[0], in[2]);
  }
};

}  // namespace

template <class T>
void launch_activation(const Activation& activation, View<const T> x, View<const T> slope,
                       View<T> y) {
  constexpr auto kName = "activation/cuda";
  if (slope) return launch_each_element(kName, {x, slope}, y, ActivatingWithSlope{activation});
  launch_each_element(kName, {x}, y, Activating{activation});
}
template void launch_activation(const Activation&, View<const float>, View<const float>,
                                View<float>);
template void launch_activation(const Activation&, View<const Half>, View<const Half>, View<Half>);
template void launch_activation(const Activation&, View<const BFloat16>, View<const BFloat16>,
                                View<BFloat16>);

void activation_cuda(const Activation& activation, View<const float> x, View<const float> slope,
                     View<float> y) {
  launch_activation(activation, x, slope, y);
}

template <class T>
void launch_activation_gradient(const Activation& activation, View<const T> seen, View<const T> dy,
                                View<const T> slope, View<T> y) {
  constexpr auto kName = "activation_gradient/cuda";
  if (slope) return launch_each_element(kName, {seen, dy, slope}, y, DerivingWithSlope{activation});
  launch_each_element(kName, {seen, dy}, y, Deriving{activation});
}
template void launch_activation_gradient(const Activation&, View<const Half>, View<const Half>,
                                         View<const Half>, View<Half>);
template void launch_activation_gradient(const Activation&, View<const BFloat16>,
                                         View<const BFloat16>, View<const BFloat16>,
                                         View<BFloat16>);

void activation_gradient_cuda(const Activation& activation, View<const float> seen,
                              View<const float> dy, View<const float> slope, View<float> y) {
  launch_activation_gradient(activation, seen, dy, slope, y);
}

}  // namespace mend
