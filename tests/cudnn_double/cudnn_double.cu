// A test double of libcudnn.so.9: the functions that conv2d/cudnn calls, by a plain kernel, and strict about what it is
// given. For MEND_CUDNN in tests; it shows that the wiring is right, and nothing of cuDNN's own kernels.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

// The names and numbers of cudnn.h, written again: the program's own must not be tested against themselves.
extern "C" {

enum { kSuccess = 0, kBadParam = 2000, kNotSupported = 3000, kExecutionFailed = 5000 };
enum { kFloat = 0, kHalf = 2, kBFloat16 = 9 };

struct TensorDescriptor {
  int type, n, c, h, w, n_stride, c_stride, h_stride, w_stride;
};
struct FilterDescriptor {
  int type, format, k, c, h, w;
};
struct ConvolutionDescriptor {
  int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w, mode, compute, groups, math;
};
struct Context {
  cudaStream_t stream;
  int device;
};
struct Algorithm {
  int algorithm, status;
  float time;
  std::size_t memory;
  int determinism, math, reserved[3];
};

std::size_t cudnnGetVersion() { return 90001; }
const char* cudnnGetErrorString(int status) {
  if (status == kBadParam) return "CUDNN_STATUS_BAD_PARAM";
  return status == kNotSupported ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_EXECUTION_FAILED";
}
int cudnnCreate(Context** context) {
  *context = new Context{};
  return cudaGetDevice(&(*context)->device) == cudaSuccess ? kSuccess : kExecutionFailed;
}
int cudnnSetStream(Context* context, cudaStream_t stream) {
  context->stream = stream;
  return kSuccess;
}

int cudnnCreateTensorDescriptor(TensorDescriptor** d) {
  *d = new TensorDescriptor{-1};
  return kSuccess;
}
int cudnnSetTensor4dDescriptorEx(TensorDescriptor* d, int type, int n, int c, int h, int w,
                                 int n_stride, int c_stride, int h_stride, int w_stride) {
  const bool is_known = type == kFloat || type == kHalf || type == kBFloat16;
  if (!is_known || n < 1 || c < 1 || h < 1 || w < 1) return kBadParam;
  // NHWC, perhaps with gaps.
  if (c_stride != 1 || w_stride < c || h_stride < w * w_stride || n_stride < h * h_stride) {
    return kNotSupported;
  }
  *d = {type, n, c, h, w, n_stride, c_stride, h_stride, w_stride};
  return kSuccess;
}
int cudnnDestroyTensorDescriptor(TensorDescriptor* d) {
  delete d;
  return kSuccess;
}
int cudnnCreateFilterDescriptor(FilterDescriptor** d) {
  *d = new FilterDescriptor{-1};
  return kSuccess;
}
int cudnnSetFilter4dDescriptor(FilterDescriptor* d, int type, int format, int k, int c, int h,
                               int w) {
  constexpr int kNhwc = 1;
  if (format != kNhwc || k < 1 || c < 1 || h < 1 || w < 1) return kBadParam;
  *d = {type, format, k, c, h, w};
  return kSuccess;
}
int cudnnDestroyFilterDescriptor(FilterDescriptor* d) {
  delete d;
  return kSuccess;
}
int cudnnCreateConvolutionDescriptor(ConvolutionDescriptor** d) {
  *d = new ConvolutionDescriptor{-1};
  return kSuccess;
}
int cudnnSetConvolution2dDescriptor(ConvolutionDescriptor* d, int pad_h, int pad_w, int stride_h,
                                    int stride_w, int dilation_h, int dilation_w, int mode,
                                    int compute) {
  constexpr int kCrossCorrelation = 1;
  if (mode != kCrossCorrelation || compute != kFloat || pad_h < 0 || pad_w < 0) return kBadParam;
  *d = {pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w, mode, compute, 1, 0};
  return kSuccess;
}
int cudnnSetConvolutionGroupCount(ConvolutionDescriptor* d, int groups) {
  if (d->pad_h < 0 || groups < 1) return kBadParam;
  d->groups = groups;
  return kSuccess;
}
int cudnnSetConvolutionMathType(ConvolutionDescriptor* d, int math) {
  constexpr int kDefault = 0, kTensorOp = 1, kFma = 3;
  if (math != kDefault && math != kTensorOp && math != kFma) return kBadParam;
  d->math = math;
  return kSuccess;
}
int cudnnDestroyConvolutionDescriptor(ConvolutionDescriptor* d) {
  delete d;
  return kSuccess;
}

}  // extern "C"

namespace {

constexpr int kAlgorithm = 1;

int outputs_along(int extent, int kernel, int pad, int stride, int dilation) {
  return (extent + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

bool fits(const TensorDescriptor* x, const FilterDescriptor* w, const ConvolutionDescriptor* c,
          const TensorDescriptor* y) {
  if (x->type < 0 || w->type < 0 || c->pad_h < 0 || y->type < 0) return false;  // never set
  const bool one_type = x->type == w->type && x->type == y->type;
  const bool channels = w->c * c->groups == x->c && w->k == y->c && w->k % c->groups == 0;
  const bool extents = x->n == y->n &&
                       y->h == outputs_along(x->h, w->h, c->pad_h, c->stride_h, c->dilation_h) &&
                       y->w == outputs_along(x->w, w->w, c->pad_w, c->stride_w, c->dilation_w);
  return one_type && channels && extents;
}

/// One number for each row of y.
std::size_t workspace_of(const TensorDescriptor* y) {
  return sizeof(float) * static_cast<std::size_t>(y->n) * y->h;
}

__device__ float wide(float v) { return v; }
__device__ float wide(__half v) { return __half2float(v); }
__device__ float wide(__nv_bfloat16 v) { return __bfloat162float(v); }
__device__ void store(float v, float* to) { *to = v; }
__device__ void store(float v, __half* to) { *to = __float2half_rn(v); }
__device__ void store(float v, __nv_bfloat16* to) { *to = __float2bfloat16_rn(v); }

template <class T>
__global__ void convolve(TensorDescriptor xd, const T* x, FilterDescriptor wd, const T* weight,
                         ConvolutionDescriptor c, TensorDescriptor yd, T* y, float* workspace) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= static_cast<long long>(yd.n) * yd.h * yd.w * yd.c) return;
  const int k = static_cast<int>(i % yd.c), q = static_cast<int>(i / yd.c % yd.w);
  const int p = static_cast<int>(i / yd.c / yd.w % yd.h),
            n = static_cast<int>(i / yd.c / yd.w / yd.h);
  if (k == 0 && q == 0) workspace[n * yd.h + p] = 0;  // it must be there
  const int first = k / (wd.k / c.groups) * wd.c;
  float sum = 0;
  for (int r = 0; r < wd.h; ++r)
    for (int s = 0; s < wd.w; ++s) {
      const int h = p * c.stride_h + r * c.dilation_h - c.pad_h,
                w = q * c.stride_w + s * c.dilation_w - c.pad_w;
      if (h < 0 || h >= xd.h || w < 0 || w >= xd.w) continue;
      const T* from =
          x + static_cast<long long>(n) * xd.n_stride + h * xd.h_stride + w * xd.w_stride + first;
      const T* tap = weight + ((static_cast<long long>(k) * wd.h + r) * wd.w + s) * wd.c;
      for (int channel = 0; channel < wd.c; ++channel)
        sum += wide(from[channel]) * wide(tap[channel]);
    }
  store(sum, y + static_cast<long long>(n) * yd.n_stride + p * yd.h_stride + q * yd.w_stride + k);
}

template <class T>
int launch(const Context* context, const TensorDescriptor* xd, const void* x,
           const FilterDescriptor* wd, const void* w, const ConvolutionDescriptor* c,
           void* workspace, const TensorDescriptor* yd, void* y) {
  const long long outputs = static_cast<long long>(yd->n) * yd->h * yd->w * yd->c;
  convolve<T><<<static_cast<unsigned>((outputs + 127) / 128), 128, 0, context->stream>>>(
      *xd, static_cast<const T*>(x), *wd, static_cast<const T*>(w), *c, *yd, static_cast<T*>(y),
      static_cast<float*>(workspace));
  return cudaGetLastError() == cudaSuccess ? kSuccess : kExecutionFailed;
}

bool is_aligned(const void* at) {
  return at != nullptr && reinterpret_cast<std::uintptr_t>(at) % 16 == 0;
}

}  // namespace

extern "C" {

/// The first one proposed does not repeat its bits, and the second can't do the case.
int cudnnGetConvolutionForwardAlgorithm_v7(Context*, TensorDescriptor* x, FilterDescriptor* w,
                                           ConvolutionDescriptor* c, TensorDescriptor* y, int asked,
                                           int* given, Algorithm* algorithms) {
  if (!fits(x, w, c, y) || asked < 3) return kBadParam;
  *given = 3;
  for (int i = 0; i < 3; ++i)
    algorithms[i] = {kAlgorithm + 2 - i, kSuccess, -1.0f, workspace_of(y), 1, c->math, {}};
  algorithms[0].determinism = 0;
  algorithms[1].status = kNotSupported;
  return kSuccess;
}
int cudnnGetConvolutionForwardWorkspaceSize(Context*, TensorDescriptor* x, FilterDescriptor* w,
                                            ConvolutionDescriptor* c, TensorDescriptor* y,
                                            int algorithm, std::size_t* bytes) {
  if (!fits(x, w, c, y) || algorithm != kAlgorithm) return kBadParam;
  *bytes = workspace_of(y);
  return kSuccess;
}
int cudnnConvolutionForward(Context* context, const void* alpha, TensorDescriptor* xd,
                            const void* x, FilterDescriptor* wd, const void* w,
                            ConvolutionDescriptor* c, int algorithm, void* workspace,
                            std::size_t bytes, const void* beta, TensorDescriptor* yd, void* y) {
  int device = -1;
  cudaGetDevice(&device);
  const bool scales =
      *static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 0;
  if (!fits(xd, wd, c, yd) || algorithm != kAlgorithm || bytes < workspace_of(yd) || scales)
    return kBadParam;
  if (!is_aligned(x) || !is_aligned(w) || !is_aligned(y) || !is_aligned(workspace))
    return kBadParam;
  if (device != context->device || context->stream == nullptr) return kBadParam;
  if (xd->h == 13 && xd->w == 99) return kNotSupported;  // for a test of errors
  if (xd->type == kHalf) return launch<__half>(context, xd, x, wd, w, c, workspace, yd, y);
  if (xd->type == kBFloat16)
    return launch<__nv_bfloat16>(context, xd, x, wd, w, c, workspace, yd, y);
  return launch<float>(context, xd, x, wd, w, c, workspace, yd, y);
}

}  // extern "C"
