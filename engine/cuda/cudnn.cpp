#include "engine/cuda/cudnn.h"

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "engine/cuda/optional_library.h"
#include "engine/error.h"
#include "engine/optional_libraries.h"

namespace mend {
namespace {

struct Loaded {
  std::string file;
  cudnn::Functions functions;
};

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

const Loaded& loaded() { return loaded_once<Loaded, load>(); }

}  // namespace

const cudnn::Functions& load_cudnn() { return loaded().functions; }

std::string cudnn_version() {
  return fmt::format("{} ({})",
                     dotted_version(static_cast<std::int64_t>(loaded().functions.GetVersion())),
                     loaded().file);
}

void cudnn_check(cudnn::Status status, const char* call) {
  if (status == cudnn::kSuccess) return;
  int gpu = 0;
  cudaGetDevice(&gpu);
  throw DeviceError(fmt::format("{} failed on cuda:{}: {} ({}); choose another --kernel", call, gpu,
                                load_cudnn().GetErrorString(status), static_cast<int>(status)));
}

std::string describe_cudnn() { return described(cudnn_version); }

}  // namespace mend
