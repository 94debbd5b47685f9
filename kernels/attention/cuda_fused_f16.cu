// cuda_fused.cuh's attention in f16 and bf16.
#include "kernels/attention/cuda_fused.cuh"
#include "kernels/attention/cuda_fused_narrow.cuh"

namespace mend {
namespace {

template <class T>
struct In {
  template <int kDepth>
  using Products = fused_attention::NarrowProducts<T, kDepth>;
};

}  // namespace

template <class T>
void launch_window_attention_f16(const CudaWindows& windows,
                                 const TypedCudaAttentionCall<T>& call) {
  fused_attention::launch<In<T>::template Products>(call, WindowTokens(windows, call.q.shape),
                                                    "window_attention/cuda_f16");
}
template void launch_window_attention_f16(const CudaWindows&, const TypedCudaAttentionCall<Half>&);
template void launch_window_attention_f16(const CudaWindows&,
                                          const TypedCudaAttentionCall<BFloat16>&);

template <class T>
void launch_attention_f16(const TypedCudaAttentionCall<T>& call) {
  fused_attention::launch<In<T>::template Products>(call, RowTokens(call.q.shape, call.k.shape),
                                                    "attention/cuda_f16");
}
template void launch_attention_f16(const TypedCudaAttentionCall<Half>&);
template void launch_attention_f16(const TypedCudaAttentionCall<BFloat16>&);

}  // namespace mend
