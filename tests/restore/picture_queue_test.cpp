// Pictures that lanes share out: each once, and none is lost where a lane ends.
#include "restore/picture_queue.h"

#include <doctest/doctest.h>

#include <future>
#include <thread>

namespace mend::test {

using Picture = std::optional<std::size_t>;

TEST_CASE("picture queue: pictures are given out in their order, each once") {
  PictureQueue queue(3, 2);
  CHECK(queue.take() == Picture(0));
  CHECK(queue.take_ahead({true, false, true}) == Picture());  // 1 may not
  CHECK(queue.take_ahead({true, true, true}) == Picture(1));
  CHECK(queue.take() == Picture(2));
  for (int i = 0; i < 3; ++i) queue.finish();
  CHECK(queue.take() == Picture());
}

TEST_CASE("picture queue: a lane whose GPU fails hands its pictures on, but not the last lane") {
  PictureQueue queue(4, 2);
  const std::vector<bool> all(4, true);
  CHECK(queue.take() == Picture(0));
  CHECK(queue.take_ahead(all) == Picture(1));
  CHECK(queue.hand_on(0));
  queue.put_back(1);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(queue.take() == Picture(i));
    CHECK_FALSE(queue.hand_on(i));
    queue.finish();
  }
  CHECK(queue.take() == Picture());
}

TEST_CASE("picture queue: a picture that fails on two GPUs is not handed on again") {
  PictureQueue queue(2, 3);
  CHECK(queue.take() == Picture(0));
  CHECK(queue.hand_on(0));
  CHECK(queue.take() == Picture(0));
  CHECK_FALSE(queue.hand_on(0));
  queue.finish();
  CHECK(queue.take() == Picture(1));
  CHECK(queue.hand_on(1));
}

TEST_CASE("picture queue: who has nothing to do waits for pictures that may come back") {
  PictureQueue queue(1, 2);
  CHECK(queue.take() == Picture(0));
  std::future<Picture> other = std::async(std::launch::async, [&] { return queue.take(); });
  CHECK(other.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
  CHECK(queue.hand_on(0));
  CHECK(other.get() == Picture(0));
  other = std::async(std::launch::async, [&] { return queue.take(); });
  queue.finish();
  CHECK(other.get() == Picture());
}

TEST_CASE("picture queue: a stop ends all lanes, those that wait too") {
  PictureQueue queue(2, 2);
  CHECK(queue.take() == Picture(0));
  CHECK(queue.take() == Picture(1));
  std::future<Picture> waiting = std::async(std::launch::async, [&] { return queue.take(); });
  queue.stop();
  CHECK(waiting.get() == Picture());
  queue.put_back(1);
  CHECK(queue.take() == Picture());
}

}  // namespace mend::test
