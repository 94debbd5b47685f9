// cuda_fused.cuh's attention in f32.
#include "kernels/attention/cuda_fused.cuh"
#include "kernels/attention/cuda_fused_tf32.cuh"

namespace mend {
namespace {

template <int kDepth>
using Rounded = fused_attention::Tf32Products<kDepth, false>;
template <int kDepth>
using Split = fused_attention::Tf32Products<kDepth, true>;

template <class Tokens>
void launch(const CudaAttentionCall& call, const Tokens& tokens, FusedProducts products,
            const char* name) {
  using namespace fused_attention;
  if (products == FusedProducts::kTf32) {
    return fused_attention::launch<Rounded>(call, tokens, name);
  }
  fused_attention::launch<Split>(call, tokens, name);
}

}  // namespace

void launch_window_attention_fused(const CudaWindows& windows, const CudaAttentionCall& call,
                                   FusedProducts products) {
  launch(call, WindowTokens(windows, call.q.shape), products, "window_attention/cuda_fused");
}
void launch_attention_fused(const CudaAttentionCall& call, FusedProducts products) {
  launch(call, RowTokens(call.q.shape, call.k.shape), products, "attention/cuda_fused");
}

}  // namespace mend
