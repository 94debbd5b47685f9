// A build without CUDA; engine/cuda/gpu.cpp is the other one.
#include "engine/error.h"
#include "engine/gpu.h"
#include "engine/optional_libraries.h"

namespace mend {

const GpuSurvey& survey_gpus() {
  static const GpuSurvey kSurvey{{}, {}, {}, "this build of mend is without CUDA"};
  return kSurvey;
}

Device& gpu(int, int) { throw DeviceError(survey_gpus().why_none); }

std::string describe_cudnn() { return survey_gpus().why_none; }

}  // namespace mend
