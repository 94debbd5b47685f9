// The CUDA rungs of matmul against the reference on the CPU.
#include "kernels/matmul/matmul.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "kernels/matmul/cuda.h"
#include "tests/gpu/gpu_rungs.h"

namespace mend::test {
namespace {

/// Returns how many rungs ran.
int check(const op::Matmul& matmul, const Shape& a, const Shape& b) {
  return check_gpu_rungs(matmul_ladder(), matmul, {random_tensor(a, 1), random_tensor(b, 2)},
                         [&](MatmulKernel kernel, Inputs in, const Tensor& y) {
                           kernel(matmul, in[0].view<const float>(), in[1].view<const float>(),
                                  y.view<float>(), {});
                         });
}

/// The product of an M x K and a K x N matrix, in all four layouts.
void check_layouts(int n, int h, int M, int K, int N) {
  CAPTURE(M);
  CAPTURE(K);
  CAPTURE(N);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      const int ran = check({ta, tb}, ta ? Shape{n, h, K, M} : Shape{n, h, M, K},
                            tb ? Shape{n, h, N, K} : Shape{n, h, K, N});
      CHECK(ran == (std::min({M, K, N}) < 8 ? 2 : 3));
    }
}

}  // namespace

TEST_CASE("matmul on the GPU: every rung matches the reference in all layouts") {
  check_layouts(1, 1, 1, 1, 1);
  check_layouts(1, 1, 8, 8, 8);
  check_layouts(1, 2, 17, 33, 65);
  check_layouts(1, 1, 36, 32, 40);
  check_layouts(2, 1, 3, 100, 20);
  check_layouts(1, 1, 9, 700, 12);  // a long k: parts
  check_layouts(1, 1, 16, 520, 16);
}

TEST_CASE("matmul on the GPU: each tile of the tensor cores, in all layouts") {
  struct {
    int batch, M, K, N, tile;
  } const cases[] = {{132, 128, 8, 128, 1},
                     {60, 125, 36, 127, 2},
                     {132, 127, 40, 31, 3},
                     {132, 63, 33, 60, 4},
                     {800, 8, 9, 12, 5}};  // several for each block
  for (const auto& c : cases)
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        CAPTURE(c.tile);
        const op::Matmul matmul{ta, tb};
        const Tensor a = random_tensor({1, c.batch, ta ? c.K : c.M, ta ? c.M : c.K}, 1);
        const Tensor b = random_tensor({1, c.batch, tb ? c.N : c.K, tb ? c.K : c.N}, 2);
        const Tensor expected = apply(matmul, {a, b});
        CHECK(gemm_plan(matmul_tf32_problem(expected.shape(), c.K)).tile == c.tile);
        force_variant("matmul", "cuda_tf32");
        const Tensor y = to_host(apply(matmul, {to_gpu(a), to_gpu(b)}));
        clear_forced_variants();
        CHECK(relative_error(y, expected) <= 1e-3);
      }
}

TEST_CASE("matmul on the GPU: one matrix for all of a batch") {
  CHECK(check({}, {2, 3, 20, 24}, {1, 1, 24, 40}) == 3);
  CHECK(check({}, {1, 3, 20, 24}, {2, 1, 24, 40}) == 3);
  CHECK(check({false, true}, {1, 1, 20, 24}, {2, 3, 40, 24}) == 3);
}

TEST_CASE("matmul on the GPU: the gradients are products there too") {
  const Tensor a = random_tensor({2, 2, 20, 24}, 1), b = random_tensor({1, 2, 24, 12}, 2);
  const op::Matmul matmul;
  const Tensor y = apply(matmul, {a, b}), dy = random_tensor(y.shape(), 3);
  const std::vector<bool> wanted = {true, true};
  const Tensors host_inputs{a, b}, gpu_inputs{to_gpu(a), to_gpu(b)};
  const Tensor gpu_y = to_gpu(y), gpu_dy = to_gpu(dy);
  const Tensors expected = matmul.backward({host_inputs, y, dy, wanted});
  const Tensors gradients = matmul.backward({gpu_inputs, gpu_y, gpu_dy, wanted});
  for (int i = 0; i < 2; ++i) {
    CHECK(relative_error(to_host(gradients[i]), expected[i]) <= 1e-3);
  }
}

}  // namespace mend::test
