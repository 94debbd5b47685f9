// Tiles on a GPU whose copies overlap with computing.
//
//   host       [read 0] [read 1]      [blend 0] [read 2]      [blend 1]
//   upload             [0]      [1]                     [2]
//   computing             [ tile 0 ][ tile 1          ][ tile 2          ]
//   download                        [0]                [1]
//
// Two lanes of staging memory take turns, so at most two tiles are under way, whatever the number of plans.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "engine/plan.h"

namespace mend {

class TileLanes {
 public:
  /// Of a GPU.
  explicit TileLanes(Device& device) : device_(device) {}

  using Fill = std::function<void(const Tensor& to)>;
  /// Has `fill` write the plan's input, in the host's memory, and gives the GPU all that makes the output of it.
  /// Waits for nothing that was started before. At most one tile may be unfinished.
  void start(Plan& plan, const Fill& fill);
  /// The output of the tile that was started first of those unfinished; in the host's memory, until the next start
  /// but one. Waits for it.
  Tensor finish();

  /// Of the GPU's memory, for tiles of this plan.
  static std::int64_t device_bytes(const Plan& plan);

 private:
  /// Of one tile.
  struct Lane {
    std::unique_ptr<DeviceUpload> upload;
    std::unique_ptr<DeviceDownload> download;
    std::size_t upload_bytes = 0, download_bytes = 0;  // at most
    Shape result;
  };

  Device& device_;
  std::array<Lane, 2> lanes_;
  std::size_t started_ = 0, finished_ = 0;
};

}  // namespace mend
