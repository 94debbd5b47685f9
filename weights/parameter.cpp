#include "weights/parameter.h"

#include <cassert>

namespace mend {
namespace {

/// {K,R,S,C} -> k,c,r,s
std::vector<float> kernel_in_file(View<const float> kernel) {
  const auto [K, R, S, C] = kernel.shape;
  std::vector<float> stored;
  stored.reserve(static_cast<std::size_t>(kernel.shape.elements()));
  for (int k = 0; k < K; ++k)
    for (int c = 0; c < C; ++c)
      for (int r = 0; r < R; ++r)
        for (int s = 0; s < S; ++s) stored.push_back(kernel(k, r, s, c));
  return stored;
}

/// {K,R,S,C} -> (g,c),k,r,s with k counted in its group.
std::vector<float> transposed_kernel_in_file(View<const float> kernel, int groups) {
  const auto [K, R, S, C] = kernel.shape;
  const int k_per_group = K / groups;
  std::vector<float> stored;
  stored.reserve(static_cast<std::size_t>(kernel.shape.elements()));
  for (int g = 0; g < groups; ++g)
    for (int c = 0; c < C; ++c)
      for (int k = 0; k < k_per_group; ++k)
        for (int r = 0; r < R; ++r)
          for (int s = 0; s < S; ++s) stored.push_back(kernel(g * k_per_group + k, r, s, c));
  return stored;
}

}  // namespace

StoredTensor to_stored(const Parameter& parameter, const Tensor& values) {
  assert(values.shape() == parameter.tensor.shape());
  const Tensor dense = values.clone();
  const View<const float> view = dense.view<const float>();
  switch (parameter.layout) {
    case ParameterLayout::kKernel:
      return make_stored_tensor(parameter.stored_shape, kernel_in_file(view));
    case ParameterLayout::kTransposedKernel:
      return make_stored_tensor(parameter.stored_shape,
                                transposed_kernel_in_file(view, parameter.groups));
    case ParameterLayout::kSame:
      break;
  }
  return make_stored_tensor(parameter.stored_shape, {view.data, view.data + view.shape.elements()});
}

}  // namespace mend
