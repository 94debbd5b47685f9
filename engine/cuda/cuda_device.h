// One GPU as a Device. engine/gpu.h finds them.
//
// All kernels of a GPU run in one stream, in the order in which they were launched. Device's calls keep
// that order: copy() to the GPU returns when the host's memory may be written again, copy() from it when
// the bytes are there, fill() at once. Uploads and downloads that overlap with computing have streams of their
// own (engine/cuda/transfer.h), and a thread that records (engine/cuda/recording.h) launches into another one.
#pragma once

#include <array>
#include <atomic>
#include <thread>

#include "engine/cuda/memory.h"
#include "engine/cuda/recording.h"
#include "engine/cuda/stream.h"
#include "engine/device.h"
#include "engine/gpu.h"

namespace mend {

class CudaDevice final : public Device {
 public:
  /// To be made while the GPU is current (OnGpu). `instance`: as gpu()'s.
  CudaDevice(const GpuInfo& info, int instance);

  DeviceKind kind() const override { return DeviceKind::kCuda; }
  std::string_view name() const override { return name_; }
  void* allocate(std::size_t bytes) override;
  void free(void* memory, std::size_t bytes) noexcept override;
  void copy(void* to, const void* from, std::size_t bytes) override;
  void copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                 std::size_t row_bytes, std::size_t rows) override;
  void fill(void* to, int byte, std::size_t bytes) override;
  /// Throws DeviceError if a kernel failed.
  void synchronize() override;

  const GpuInfo& info() const { return info_; }
  /// Where this thread's kernels are launched.
  cudaStream_t stream() const;
  cudaStream_t uploads() const { return uploads_; }
  cudaStream_t downloads() const { return downloads_; }
  /// Has CUDA's calls of this thread mean this GPU, and current_cuda_device() be this; before every launch.
  void make_current() const override;
  std::shared_ptr<void> allocate_staging(std::size_t bytes) override;
  void copy_later(void* to, const void* from, std::size_t bytes) override;
  /// Copies in `stream`; memory of the host must be pinned, and stay until the copy is done.
  void copy_async(void* to, const void* from, std::size_t bytes, cudaStream_t stream) const;
  CachingAllocator& allocator() { return allocator_; }

  Recorded record(const std::function<void()>& work) override;
  std::unique_ptr<DeviceUpload> make_upload(std::size_t most_bytes) override;
  std::unique_ptr<DeviceDownload> make_download(std::size_t most_bytes) override;
  /// If this thread records, holds what the recorded work will read as long as the recording lives.
  void keep_for_recording(std::shared_ptr<const void> memory);
  /// As long as it lives, this thread's work is not recorded, but done, before all that is recorded.
  class Unrecorded {
   public:
    explicit Unrecorded(CudaDevice& device);
    ~Unrecorded();
    Unrecorded(const Unrecorded&) = delete;
    Unrecorded& operator=(const Unrecorded&) = delete;

   private:
    CudaDevice& device_;
    CudaCapture* const capture_;
    cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
  };
  /// Of all recordings together, bytes of working memory; at most an eighth of the GPU's memory.
  void count_recorded(std::int64_t bytes);
  std::int64_t recorded_bytes() const { return recorded_bytes_; }

 private:
  struct EndOfWork;
  /// What this thread records, if it does.
  CudaCapture* capture() const;
  void set_capture(CudaCapture* capture);
  /// Throws NotRecordable if this thread records: `what` happens on the host, and replays would leave it out.
  void refuse_to_record(std::string_view what) const;
  void copy_within(void* to, const void* from, std::size_t bytes) const;
  void upload(std::byte* to, const std::byte* from, std::size_t bytes);
  void download(std::byte* to, const std::byte* from, std::size_t bytes);

  /// Half of the way between pageable memory and the GPU: while the GPU copies one, the processor fills
  /// or empties the other.
  struct Staging {
    static constexpr std::size_t kBytes = 4 << 20;
    PinnedMemory memory{kBytes};
    CudaEvent copied;
  };

  const GpuInfo info_;
  const std::string name_;
  CachingAllocator allocator_;
  CudaStream stream_, uploads_, downloads_;
  std::mutex recording_mutex_;
  CudaStream recording_stream_;
  // The capture belongs to the thread alone: others ask for the thread, and leave it there.
  std::atomic<std::thread::id> recording_thread_{};
  CudaCapture* capture_ = nullptr;
  std::atomic<std::int64_t> recorded_bytes_{0};
  std::mutex staging_mutex_;
  std::array<Staging, 2> staging_;
};

/// The GPU that `device` is; only of devices of kind kCuda.
CudaDevice& cuda_device(Device& device);
/// The one that this thread made current last, or else the first: where kernels that are given bare views are launched, and
/// take their working memory.
CudaDevice& current_cuda_device();

}  // namespace mend
