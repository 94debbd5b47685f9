// conv2d/cudnn: NVIDIA's cuDNN 9 in our ladder, the bar that we didn't write. Runs only where it is forced.
//
//   x ──cudnnConvolutionForward──▶ z ──our epilogue──▶ y = scale · activation(z + b) + residual
//
// Images are NHWC with strides, so that channel slices go as they are; those that don't start at 16 bytes are copied
// first, as vectorised kernels may load 16 at a time. The algorithm is the first of those that cuDNN's heuristics
// propose which gives the same bits on every run. Descriptors live for one call: a recorded plan makes them once.
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <string>

#include "engine/cuda/cuda_device.h"
#include "engine/cuda/cudnn.h"
#include "kernels/conv2d/cuda_epilogue.h"
#include "kernels/conv2d/variant.h"
#include "kernels/convert/convert.h"
#include "kernels/inputs.h"

namespace mend {
namespace {

/// A descriptor, from its making to its end.
template <class T, cudnn::Status (*cudnn::Functions::*kCreate)(T*),
          cudnn::Status (*cudnn::Functions::*kDestroy)(T)>
class Descriptor {
 public:
  Descriptor() { cudnn_check((load_cudnn().*kCreate)(&descriptor_), "making a descriptor"); }
  ~Descriptor() { (load_cudnn().*kDestroy)(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  operator T() const { return descriptor_; }  // NOLINT: where cuDNN wants it

 private:
  T descriptor_ = nullptr;
};
using TensorDescriptor = Descriptor<cudnn::Tensor, &cudnn::Functions::CreateTensorDescriptor,
                                    &cudnn::Functions::DestroyTensorDescriptor>;
using FilterDescriptor = Descriptor<cudnn::Filter, &cudnn::Functions::CreateFilterDescriptor,
                                    &cudnn::Functions::DestroyFilterDescriptor>;
using ConvolutionDescriptor =
    Descriptor<cudnn::Convolution, &cudnn::Functions::CreateConvolutionDescriptor,
               &cudnn::Functions::DestroyConvolutionDescriptor>;

cudnn::DataType type_of(DType type) {
  if (type == DType::kF16) return cudnn::kHalf;
  return type == DType::kBF16 ? cudnn::kBFloat16 : cudnn::kFloat;
}

/// cuDNN's context of a GPU, for one call at a time.
struct Context {
  std::mutex mutex;
  cudnn::Handle handle = nullptr;
};

Context& context_of(CudaDevice& device) {
  static std::mutex mutex;
  static auto& contexts = *new std::map<const CudaDevice*, Context>;  // as long as the GPUs
  const std::scoped_lock lock(mutex);
  Context& context = contexts[&device];
  if (context.handle == nullptr) {
    const CudaDevice::Unrecorded now(device);  // it allocates
    cudnn_check(load_cudnn().Create(&context.handle), "cudnnCreate");
  }
  return context;
}

void describe(const TensorDescriptor& descriptor, const Tensor& x) {
  const Shape s = x.shape();
  const auto set = [&](const auto& view) {
    const std::int64_t n_stride = view.n_stride;
    if (n_stride > std::numeric_limits<int>::max()) {
      throw ShapeError(fmt::format("conv2d/cudnn: an image of {} is too large for cuDNN's strides",
                                   to_string(s)));
    }
    cudnn_check(load_cudnn().SetTensor4dDescriptorEx(
                    descriptor, type_of(x.dtype()), s.n, s.c, s.h, s.w, static_cast<int>(n_stride),
                    1, static_cast<int>(view.h_stride), static_cast<int>(view.w_stride)),
                "cudnnSetTensor4dDescriptorEx");
  };
  if (x.dtype() == DType::kF16) return set(x.view<const Half>());
  if (x.dtype() == DType::kBF16) return set(x.view<const BFloat16>());
  set(x.view<const float>());
}

bool is_aligned(const Tensor& x) { return reinterpret_cast<std::uintptr_t>(x.address()) % 16 == 0; }

/// One convolution as cuDNN sees it.
struct Descriptors {
  Descriptors(const op::Conv2d& op, cudnn::MathType math, const Tensor& x_, const Tensor& z_) {
    const cudnn::Functions& f = load_cudnn();
    describe(x, x_);
    describe(z, z_);
    cudnn_check(f.SetFilter4dDescriptor(weight, type_of(op.type), cudnn::kNhwc, op.outputs,
                                        x_.shape().c / op.groups, op.kernel_h, op.kernel_w),
                "cudnnSetFilter4dDescriptor");
    cudnn_check(f.SetConvolution2dDescriptor(convolution, op.padding_h, op.padding_w, op.stride,
                                             op.stride, op.dilation, op.dilation,
                                             cudnn::kCrossCorrelation, cudnn::kFloat),
                "cudnnSetConvolution2dDescriptor");
    cudnn_check(f.SetConvolutionGroupCount(convolution, op.groups),
                "cudnnSetConvolutionGroupCount");
    cudnn_check(f.SetConvolutionMathType(convolution, math), "cudnnSetConvolutionMathType");
  }

  TensorDescriptor x, z;
  FilterDescriptor weight;
  ConvolutionDescriptor convolution;
};

cudnn::ForwardAlgorithm algorithm_for(cudnn::Handle handle, const Descriptors& d) {
  std::array<cudnn::ForwardAlgorithm, cudnn::kForwardAlgorithms> proposed{};
  int count = 0;
  cudnn_check(load_cudnn().GetConvolutionForwardAlgorithm_v7(handle, d.x, d.weight, d.convolution,
                                                             d.z, cudnn::kForwardAlgorithms, &count,
                                                             proposed.data()),
              "cudnnGetConvolutionForwardAlgorithm_v7");
  for (int i = 0; i < count; ++i) {
    const cudnn::ForwardAlgorithm& algorithm = proposed[static_cast<std::size_t>(i)];
    const bool repeats = algorithm.determinism == cudnn::kDeterministic;
    if (repeats && algorithm.status == cudnn::kSuccess) return algorithm;
  }
  throw DeviceError(
      "conv2d/cudnn: cuDNN has no algorithm for this layer that gives the same bits on every run; "
      "choose another --kernel");
}

/// z = the convolution of x alone, in the order of the device's work.
void convolve(const op::Conv2d& op, cudnn::MathType math, const Tensor& x, const Tensor& weight,
              const Tensor& z, CudaDevice& device) {
  const cudnn::Functions& f = load_cudnn();
  Context& context = context_of(device);
  const std::scoped_lock one_at_a_time(context.mutex);
  cudnn_check(f.SetStream(context.handle, device.stream()), "cudnnSetStream");
  const Descriptors d(op, math, x, z);
  const cudnn::ForwardAlgorithm algorithm = algorithm_for(context.handle, d);
  if (math != cudnn::kFmaMath) {  // which is what was asked for, whatever the heuristics would like
    cudnn_check(f.SetConvolutionMathType(d.convolution, algorithm.math),
                "cudnnSetConvolutionMathType");
  }
  std::size_t bytes = 0;
  cudnn_check(f.GetConvolutionForwardWorkspaceSize(context.handle, d.x, d.weight, d.convolution,
                                                   d.z, algorithm.algorithm, &bytes),
              "cudnnGetConvolutionForwardWorkspaceSize");
  const Storage workspace(std::max<std::size_t>(bytes, 1), device);
  const float one = 1, zero = 0;
  cudnn_check(
      f.ConvolutionForward(context.handle, &one, d.x, x.address(), d.weight, weight.address(),
                           d.convolution, algorithm.algorithm, workspace.data(), bytes, &zero, d.z,
                           const_cast<void*>(z.address())),
      "cudnnConvolutionForward");
}

void run(const op::Conv2d& op, cudnn::MathType math, Inputs inputs, const Tensor& y) {
  const auto input = [&](std::size_t i) -> const Tensor& { return input_at(inputs, i); };
  CudaDevice& device = cuda_device(y.device());
  device.make_current();
  const Tensor given = input(op::Conv2d::kX);
  const Tensor x = is_aligned(given) ? given : given.clone();
  const Tensor z = is_aligned(y) ? y : Tensor::empty(y.shape(), y.dtype(), device);
  convolve(op, math, x, input(op::Conv2d::kWeight), z, device);
  const CudaConv2dEpilogue epilogue{op.activation,
                                    op.scale,
                                    z,
                                    input(op::Conv2d::kBias),
                                    input(op::Conv2d::kSlope),
                                    input(op::Conv2d::kResidual),
                                    y,
                                    device.stream()};
  if (!epilogue.changes_nothing()) launch_conv2d_epilogue(epilogue);
}

/// What both rungs refuse.
std::string refuses(const op::Conv2d& op, std::string_view rung) {
  if (forced_variant(op::Conv2d::kName) != rung) {
    return fmt::format("runs only where --kernel conv2d={} asks for it", rung);
  }
  if (op.padding_mode != PaddingMode::kZeros) return "pads with zeros alone";
  try {
    load_cudnn();
  } catch (const DeviceError& error) {
    return fmt::format("cannot run: {}", error.what());
  }
  return {};
}

}  // namespace

std::string conv2d_cudnn_refuses(const op::Conv2d& op, const Shapes&) {
  return refuses(op, "cudnn");
}
std::string conv2d_cudnn_fma_refuses(const op::Conv2d& op, const Shapes&) {
  if (op.type != DType::kF32) return fmt::format("computes in f32, not {}", name_of(op.type));
  return refuses(op, "cudnn_fma");
}

Shape conv2d_cudnn_packed_shape(const op::Conv2d&, const Shape& weight) { return weight; }

void conv2d_cudnn_pack(const op::Conv2d& op, const Tensor& weight, const Tensor& packed) {
  CudaDevice& device = cuda_device(packed.device());
  device.make_current();
  if (op.type == DType::kF32) {
    return device.copy(packed.storage()->data(), weight.address(),
                       static_cast<std::size_t>(weight.bytes()));
  }
  op::Convert{DType::kF32, op.type}.forward({&weight, 1}, packed, {});
}

void conv2d_cudnn(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  run(op, op.type == DType::kF32 ? cudnn::kDefaultMath : cudnn::kTensorOpMath, inputs, y);
}
void conv2d_cudnn_fma(const op::Conv2d& op, Inputs inputs, const Tensor& y) {
  run(op, cudnn::kFmaMath, inputs, y);
}

}  // namespace mend
