#include "engine/cuda/cudnn.h"

#include <fmt/format.h>

#include <memory>
#include <mutex>

#include "engine/cuda/optional_library.h"
#include "engine/error.h"
#include "engine/optional_libraries.h"

namespace mend {
namespace {

struct Loaded {
  std::string file;
  cudnn::Functions functions;
};

/// 92801 -> "9.28.1", as cuDNN counts since its version 9.
std::string version_text(std::size_t version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

void check_version(const Loaded& loaded) {
  const std::size_t version = loaded.functions.GetVersion();
  if (version / 10000 == 9) return;
  throw DeviceError(fmt::format("{} is of version {}; mend calls cuDNN 9", loaded.file, version));
}

Loaded load() {
  const OptionalLibrary library("MEND_CUDNN", "libcudnn.so.9");
  if (!library.is_loaded()) throw DeviceError("there is no cuDNN: " + library.problem());
  Loaded loaded{library.file(), {}};
  cudnn::Functions& f = loaded.functions;
  library.find("cudnnGetVersion", f.GetVersion);
  check_version(loaded);
  library.find("cudnnGetErrorString", f.GetErrorString);
  library.find("cudnnCreate", f.Create);
  library.find("cudnnSetStream", f.SetStream);
  library.find("cudnnCreateTensorDescriptor", f.CreateTensorDescriptor);
  library.find("cudnnSetTensor4dDescriptorEx", f.SetTensor4dDescriptorEx);
  library.find("cudnnDestroyTensorDescriptor", f.DestroyTensorDescriptor);
  library.find("cudnnCreateFilterDescriptor", f.CreateFilterDescriptor);
  library.find("cudnnSetFilter4dDescriptor", f.SetFilter4dDescriptor);
  library.find("cudnnDestroyFilterDescriptor", f.DestroyFilterDescriptor);
  library.find("cudnnCreateConvolutionDescriptor", f.CreateConvolutionDescriptor);
  library.find("cudnnSetConvolution2dDescriptor", f.SetConvolution2dDescriptor);
  library.find("cudnnSetConvolutionGroupCount", f.SetConvolutionGroupCount);
  library.find("cudnnSetConvolutionMathType", f.SetConvolutionMathType);
  library.find("cudnnDestroyConvolutionDescriptor", f.DestroyConvolutionDescriptor);
  library.find("cudnnGetConvolutionForwardAlgorithm_v7", f.GetConvolutionForwardAlgorithm_v7);
  library.find("cudnnGetConvolutionForwardWorkspaceSize", f.GetConvolutionForwardWorkspaceSize);
  library.find("cudnnConvolutionForward", f.ConvolutionForward);
  return loaded;
}

const Loaded& loaded() {
  static std::mutex mutex;
  static std::unique_ptr<Loaded> once;  // a failure is tried again
  const std::scoped_lock lock(mutex);
  if (once == nullptr) once = std::make_unique<Loaded>(load());
  return *once;
}

}  // namespace

const cudnn::Functions& load_cudnn() { return loaded().functions; }

std::string cudnn_version() {
  return fmt::format("{} ({})", version_text(loaded().functions.GetVersion()), loaded().file);
}

void cudnn_check(cudnn::Status status, const char* call) {
  if (status == cudnn::kSuccess) return;
  int gpu = 0;
  cudaGetDevice(&gpu);
  throw DeviceError(fmt::format("{} failed on cuda:{}: {} ({}); choose another --kernel", call, gpu,
                                load_cudnn().GetErrorString(status), static_cast<int>(status)));
}

std::string describe_cudnn() {
  try {
    return cudnn_version();
  } catch (const DeviceError& error) {
    return error.what();
  }
}

}  // namespace mend
