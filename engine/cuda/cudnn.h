// NVIDIA's cuDNN 9, where it is installed: a baseline to hold our kernels against. The program is built and starts
// without it; MEND_CUDNN=/path/to/libcudnn.so.9 names another one than the system's loader finds.
//
// The declarations are those of its C interface, as much as we call (cuDNN API reference, cudnn_ops and cudnn_cnn);
// tests/gpu/cudnn_header_test.cpp compares them with cudnn.h, where there is one.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>

namespace mend {

namespace cudnn {

enum Status : int { kSuccess = 0 };
enum DataType : int { kFloat = 0, kHalf = 2, kBFloat16 = 9 };
enum TensorFormat : int { kNhwc = 1 };
enum ConvolutionMode : int { kCrossCorrelation = 1 };
/// Products of f32 may be rounded to TF32 with kDefaultMath, and are not with kFmaMath.
enum MathType : int { kDefaultMath = 0, kTensorOpMath = 1, kFmaMath = 3 };
enum Determinism : int { kNonDeterministic = 0, kDeterministic = 1 };
constexpr int kForwardAlgorithms = 8;  ///< at most

using Handle = struct HandleTag*;
using Tensor = struct TensorTag*;
using Filter = struct FilterTag*;
using Convolution = struct ConvolutionTag*;

struct ForwardAlgorithm {
  int algorithm;
  Status status;
  float time;  ///< milliseconds
  std::size_t memory;
  Determinism determinism;
  MathType math;
  int reserved[3];
};

/// Its functions, by their names without "cudnn".
struct Functions {
  std::size_t (*GetVersion)();
  const char* (*GetErrorString)(Status);
  Status (*Create)(Handle*);
  Status (*SetStream)(Handle, cudaStream_t);
  Status (*CreateTensorDescriptor)(Tensor*);
  Status (*SetTensor4dDescriptorEx)(Tensor, DataType, int n, int c, int h, int w, int n_stride,
                                    int c_stride, int h_stride, int w_stride);
  Status (*DestroyTensorDescriptor)(Tensor);
  Status (*CreateFilterDescriptor)(Filter*);
  Status (*SetFilter4dDescriptor)(Filter, DataType, TensorFormat, int k, int c, int h, int w);
  Status (*DestroyFilterDescriptor)(Filter);
  Status (*CreateConvolutionDescriptor)(Convolution*);
  Status (*SetConvolution2dDescriptor)(Convolution, int pad_h, int pad_w, int stride_h,
                                       int stride_w, int dilation_h, int dilation_w,
                                       ConvolutionMode, DataType compute);
  Status (*SetConvolutionGroupCount)(Convolution, int groups);
  Status (*SetConvolutionMathType)(Convolution, MathType);
  Status (*DestroyConvolutionDescriptor)(Convolution);
  Status (*GetConvolutionForwardAlgorithm_v7)(Handle, Tensor x, Filter w, Convolution, Tensor y,
                                              int asked, int* given, ForwardAlgorithm* algorithms);
  Status (*GetConvolutionForwardWorkspaceSize)(Handle, Tensor x, Filter w, Convolution, Tensor y,
                                               int algorithm, std::size_t* bytes);
  Status (*ConvolutionForward)(Handle, const void* alpha, Tensor x_descriptor, const void* x,
                               Filter w_descriptor, const void* w, Convolution, int algorithm,
                               void* workspace, std::size_t workspace_bytes, const void* beta,
                               Tensor y_descriptor, void* y);
};

}  // namespace cudnn

/// Loads cuDNN at the first call. Throws DeviceError that says what is missing and where it was looked for.
const cudnn::Functions& load_cudnn();
/// "9.28.1 (libcudnn.so.9)". Throws as load_cudnn.
std::string cudnn_version();
/// Throws DeviceError with `call`, the GPU that is current and cuDNN's own words if `status` is an error.
void cudnn_check(cudnn::Status status, const char* call);

}  // namespace mend
