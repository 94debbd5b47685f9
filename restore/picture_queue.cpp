#include "restore/picture_queue.h"

#include <algorithm>
#include <numeric>

namespace mend {

std::vector<Devices> lanes_of(const Devices& devices, std::size_t pictures) {
  std::vector<Devices> lanes(std::clamp<std::size_t>(pictures, 1, devices.size()));
  for (std::size_t i = 0; i < devices.size(); ++i) lanes[i % lanes.size()].push_back(devices[i]);
  return lanes;
}

PictureQueue::PictureQueue(std::size_t pictures, std::size_t lanes)
    : waiting_(pictures), lanes_(lanes) {
  std::iota(waiting_.begin(), waiting_.end(), std::size_t{0});
}

std::optional<std::size_t> PictureQueue::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopped_ || !waiting_.empty() || under_way_ == 0; });
  return take_first();
}

std::optional<std::size_t> PictureQueue::take_ahead(const std::vector<bool>& may) {
  const std::scoped_lock lock(mutex_);
  return !waiting_.empty() && may[waiting_.front()] ? take_first() : std::nullopt;
}

std::optional<std::size_t> PictureQueue::take_first() {
  if (stopped_ || waiting_.empty()) return std::nullopt;
  const std::size_t picture = waiting_.front();
  waiting_.pop_front();
  ++under_way_;
  return picture;
}

void PictureQueue::finish() {
  const std::scoped_lock lock(mutex_);
  --under_way_;
  changed_.notify_all();
}

bool PictureQueue::hand_on(std::size_t picture) {
  {
    const std::scoped_lock lock(mutex_);
    if (lanes_ == 1 || !handed_on_.insert(picture).second) return false;
    --lanes_;
  }
  put_back(picture);
  return true;
}

void PictureQueue::put_back(std::size_t picture) {
  const std::scoped_lock lock(mutex_);
  --under_way_;
  waiting_.insert(std::ranges::lower_bound(waiting_, picture), picture);
  changed_.notify_all();
}

void PictureQueue::stop() {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

}  // namespace mend
