// The rungs of the matmul ladder.
#pragma once

#include "kernels/matmul/matmul.h"

namespace mend {

void matmul_reference(const op::Matmul& op, View<const float> a, View<const float> b, View<float> y,
                      Scratch scratch);
void matmul_panels(const op::Matmul& op, View<const float> a, View<const float> b, View<float> y,
                   Scratch scratch);
/// Working memory of matmul_panels in bytes.
std::int64_t matmul_panels_scratch(const op::Matmul& op, const Shapes& in);

// On a GPU; only in a build with CUDA. kernels/matmul/cuda_rungs.cpp.

double matmul_cuda_naive_seconds(const op::Matmul& op, const Shapes& in);
void matmul_cuda_naive(const op::Matmul& op, View<const float> a, View<const float> b,
                       View<float> y, Scratch scratch);
double matmul_cuda_tiled_seconds(const op::Matmul& op, const Shapes& in);
void matmul_cuda_tiled(const op::Matmul& op, View<const float> a, View<const float> b,
                       View<float> y, Scratch scratch);
std::string matmul_cuda_tf32_refuses(const op::Matmul& op, const Shapes& in);
double matmul_cuda_tf32_seconds(const op::Matmul& op, const Shapes& in);
void matmul_cuda_tf32(const op::Matmul& op, View<const float> a, View<const float> b, View<float> y,
                      Scratch scratch);

}  // namespace mend
