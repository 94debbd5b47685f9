// Pictures that several GPUs share out.
//
//   lane 0   [picture 0          ][picture 2][picture 4 ]        The GPUs lie in lanes; the GPUs of a lane compute
//   lane 1   [picture 1   ][picture 3            ] ✗             one picture at a time, each some of its tiles. A
//                                           ╲                    lane whose GPU fails hands its pictures on, and
//   lane 0                                   [picture 3 ]        takes no more.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "restore/tiled_network.h"

namespace mend {

/// As many lanes as there are devices and pictures for; of L lanes number i has the devices i, i + L, ...
std::vector<Devices> lanes_of(const Devices& devices, std::size_t pictures);

/// Which pictures nobody has taken yet; for the threads of all lanes.
class PictureQueue {
 public:
  PictureQueue(std::size_t pictures, std::size_t lanes);

  /// The next picture. Waits while others have pictures that may come back; none if there will be no more.
  std::optional<std::size_t> take();
  /// The next picture if there is one now that `may` be taken, by picture: for a lane that has another one still.
  std::optional<std::size_t> take_ahead(const std::vector<bool>& may);
  /// A picture that was taken is computed, or can't be.
  void finish();
  /// The picture was not computed, as a GPU failed. True if another lane has it from now on, and this one must take
  /// no more. False if this is the last lane, or the picture failed in another one too, and so may be to blame: it
  /// is still this lane's.
  bool hand_on(std::size_t picture);
  /// A picture that was taken, and not begun.
  void put_back(std::size_t picture);
  /// There will be no more, for any lane, whatever becomes of those that were taken.
  void stop();

 private:
  std::optional<std::size_t> take_first();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::size_t> waiting_;
  std::set<std::size_t> handed_on_;
  std::size_t under_way_ = 0, lanes_;
  bool stopped_ = false;
};

}  // namespace mend
