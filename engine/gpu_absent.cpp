// A build without CUDA; engine/cuda/gpu.cpp is the other one.
#include "engine/error.h"
#include "engine/gpu.h"
#include "engine/gpu_mean.h"
#include "engine/optional_libraries.h"

namespace mend {

const GpuSurvey& survey_gpus() {
  static const GpuSurvey kSurvey{{}, {}, {}, "this build of mend is without CUDA"};
  return kSurvey;
}

Device& gpu(int, int) { throw DeviceError(survey_gpus().why_none); }

std::string describe_cudnn() { return survey_gpus().why_none; }
std::string describe_nccl() { return survey_gpus().why_none; }

std::string gpu_mean_problem() { return survey_gpus().why_none; }
GpuMean::Id make_gpu_mean_id() { throw DeviceError(survey_gpus().why_none); }
std::unique_ptr<GpuMean> join_gpu_mean(const GpuMean::Id&, int, int, Device&) {
  throw DeviceError(survey_gpus().why_none);
}

}  // namespace mend
