// A test double of libnccl.so.2: the functions that mend calls, between threads of one process that are ranks, through
// the host's memory, and strict about what it is given. For MEND_NCCL in tests; it shows that the wiring is right, and
// nothing of NCCL's own kernels or of several GPUs.
//
// MEND_NCCL_DOUBLE in the environment has it fail: "join" refuses the last rank, "later" reports an
// error of a sum before.
#include <cuda_runtime_api.h>

#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

// The numbers of nccl.h, written again: the program's own must not be tested against themselves.
enum { kSuccess = 0, kUnhandledCudaError = 1, kInvalidArgument = 4, kInvalidUsage = 5 };
enum { kRemoteError = 6, kFloat = 7, kAverage = 4 };

struct UniqueId {
  char bytes[128];
};

bool fails(const char* how) {
  const char* const told = std::getenv("MEND_NCCL_DOUBLE");
  return told != nullptr && std::strcmp(told, how) == 0;
}

/// Where the ranks of one Id meet.
class Room {
 public:
  explicit Room(int size) : numbers(static_cast<std::size_t>(size)), size_(size) {}
  int size() const { return size_; }
  /// Waits for all ranks.
  void meet() {
    std::unique_lock lock(mutex_);
    const int round = round_;
    if (++here_ == size_) {
      here_ = 0;
      ++round_;
      all_.notify_all();
    }
    all_.wait(lock, [&] { return round_ != round; });
  }

  std::vector<const std::vector<float>*> numbers;  ///< of each rank

 private:
  int size_, here_ = 0, round_ = 0;
  std::mutex mutex_;
  std::condition_variable all_;
};

struct Communicator {
  Room* room;
  int rank, device;
};

struct Call {
  float* numbers;
  std::size_t count;
  Communicator* communicator;
  cudaStream_t stream;
};

std::mutex rooms_mutex;
std::map<std::string, Room*>& rooms() {
  static auto& all = *new std::map<std::string, Room*>;
  return all;
}
thread_local int groups = 0;
thread_local std::vector<Call> waiting;

int average(const Call& call) {
  Room& room = *call.communicator->room;
  std::vector<float> here(call.count), mean(call.count);
  const std::size_t bytes = sizeof(float) * call.count;
  if (cudaMemcpyAsync(here.data(), call.numbers, bytes, cudaMemcpyDeviceToHost, call.stream) !=
          cudaSuccess ||
      cudaStreamSynchronize(call.stream) != cudaSuccess) {
    return kUnhandledCudaError;
  }
  room.numbers[static_cast<std::size_t>(call.communicator->rank)] = &here;
  room.meet();
  bool same = true;
  for (const std::vector<float>* of_rank : room.numbers) {
    same = same && of_rank->size() == call.count;
    for (std::size_t i = 0; same && i < call.count; ++i) mean[i] += (*of_rank)[i];
  }
  room.meet();
  if (!same) return kInvalidArgument;
  for (float& number : mean) number /= static_cast<float>(room.size());
  const bool copied = cudaMemcpyAsync(call.numbers, mean.data(), bytes, cudaMemcpyHostToDevice,
                                      call.stream) == cudaSuccess &&
                      cudaStreamSynchronize(call.stream) == cudaSuccess;
  return copied ? kSuccess : kUnhandledCudaError;
}

}  // namespace

extern "C" {

int ncclGetVersion(int* version) {
  *version = 22304;
  return kSuccess;
}
const char* ncclGetErrorString(int result) {
  if (result == kRemoteError) return "remote process exited or there was a network error";
  return result == kInvalidUsage ? "invalid usage" : "invalid argument";
}
int ncclGetUniqueId(UniqueId* id) {
  static int made = 0;
  const std::scoped_lock lock(rooms_mutex);
  *id = {};
  std::strcpy(id->bytes, std::to_string(++made).c_str());
  id->bytes[127] = 'x';  // all 128 have to arrive
  return kSuccess;
}
int ncclCommInitRank(Communicator** communicator, int ranks, UniqueId id, int rank) {
  if (ranks < 1 || rank < 0 || rank >= ranks || id.bytes[127] != 'x') return kInvalidArgument;
  Room* room = nullptr;
  {
    const std::scoped_lock lock(rooms_mutex);
    Room*& known = rooms()[id.bytes];
    if (known == nullptr) known = new Room(ranks);
    room = known;
  }
  if (room->size() != ranks) return kInvalidArgument;
  room->meet();
  if (fails("join") && rank == ranks - 1) return kInvalidUsage;
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return kUnhandledCudaError;
  *communicator = new Communicator{room, rank, device};
  return kSuccess;
}
int ncclCommGetAsyncError(Communicator*, int* result) {
  *result = fails("later") ? kRemoteError : kSuccess;
  return kSuccess;
}
int ncclCommDestroy(Communicator* communicator) {
  delete communicator;
  return kSuccess;
}
int ncclCommAbort(Communicator* communicator) {
  delete communicator;
  return kSuccess;
}
int ncclGroupStart() {
  ++groups;
  return kSuccess;
}
int ncclGroupEnd() {
  if (groups == 0) return kInvalidUsage;
  if (--groups > 0) return kSuccess;
  const std::vector<Call> calls = std::exchange(waiting, {});
  for (const Call& call : calls) {
    if (const int result = average(call); result != kSuccess) return result;
  }
  return kSuccess;
}
int ncclAllReduce(const void* from, void* to, std::size_t count, int type, int reduction,
                  Communicator* communicator, cudaStream_t stream) {
  int device = -1;
  cudaGetDevice(&device);
  if (from != to || to == nullptr || count == 0 || stream == nullptr) return kInvalidArgument;
  if (type != kFloat || reduction != kAverage) return kInvalidArgument;
  if (device != communicator->device || groups == 0) return kInvalidUsage;
  waiting.push_back({static_cast<float*>(to), count, communicator, stream});
  return kSuccess;
}

}  // extern "C"
