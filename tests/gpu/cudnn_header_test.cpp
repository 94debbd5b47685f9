// engine/cuda/cudnn.h against NVIDIA's own header, where there is one: this file compiles only if they agree.
#if __has_include(<cudnn.h>)
#define NO_CUDNN_DEPRECATED_WARNING
#include <cudnn.h>

#include <cstddef>

#include "engine/cuda/cudnn.h"
#include "tests/gpu/same_call.h"

namespace mend::test {
namespace {

#define MEND_AGREES(name) \
  static_assert(SameCall<decltype(cudnn::Functions::name), decltype(&cudnn##name)>::value)
MEND_AGREES(GetVersion);
MEND_AGREES(GetErrorString);
MEND_AGREES(Create);
MEND_AGREES(SetStream);
MEND_AGREES(CreateTensorDescriptor);
MEND_AGREES(SetTensor4dDescriptorEx);
MEND_AGREES(DestroyTensorDescriptor);
MEND_AGREES(CreateFilterDescriptor);
MEND_AGREES(SetFilter4dDescriptor);
MEND_AGREES(DestroyFilterDescriptor);
MEND_AGREES(CreateConvolutionDescriptor);
MEND_AGREES(SetConvolution2dDescriptor);
MEND_AGREES(SetConvolutionGroupCount);
MEND_AGREES(SetConvolutionMathType);
MEND_AGREES(DestroyConvolutionDescriptor);
MEND_AGREES(GetConvolutionForwardAlgorithm_v7);
MEND_AGREES(GetConvolutionForwardWorkspaceSize);
MEND_AGREES(ConvolutionForward);
#undef MEND_AGREES

static_assert(int{cudnn::kSuccess} == int{CUDNN_STATUS_SUCCESS});
static_assert(int{cudnn::kFloat} == int{CUDNN_DATA_FLOAT});
static_assert(int{cudnn::kHalf} == int{CUDNN_DATA_HALF});
static_assert(int{cudnn::kBFloat16} == int{CUDNN_DATA_BFLOAT16});
static_assert(int{cudnn::kNhwc} == int{CUDNN_TENSOR_NHWC});
static_assert(int{cudnn::kCrossCorrelation} == int{CUDNN_CROSS_CORRELATION});
static_assert(int{cudnn::kDefaultMath} == int{CUDNN_DEFAULT_MATH});
static_assert(int{cudnn::kTensorOpMath} == int{CUDNN_TENSOR_OP_MATH});
static_assert(int{cudnn::kFmaMath} == int{CUDNN_FMA_MATH});
static_assert(int{cudnn::kNonDeterministic} == int{CUDNN_NON_DETERMINISTIC});
static_assert(int{cudnn::kDeterministic} == int{CUDNN_DETERMINISTIC});
static_assert(int{cudnn::kForwardAlgorithms} == int{CUDNN_CONVOLUTION_FWD_ALGO_COUNT});

using Ours = cudnn::ForwardAlgorithm;
using Theirs = cudnnConvolutionFwdAlgoPerf_t;
static_assert(sizeof(Ours) == sizeof(Theirs));
static_assert(offsetof(Ours, algorithm) == offsetof(Theirs, algo));
static_assert(offsetof(Ours, status) == offsetof(Theirs, status));
static_assert(offsetof(Ours, memory) == offsetof(Theirs, memory));
static_assert(offsetof(Ours, determinism) == offsetof(Theirs, determinism));
static_assert(offsetof(Ours, math) == offsetof(Theirs, mathType));

}  // namespace
}  // namespace mend::test
#endif
