#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "engine/gpu.h"
#include "kernels/cuda/cuda_kept_tables.h"

namespace mend::test {
namespace {

std::vector<std::byte> bytes_of(const Tensor& table) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(table.bytes()));
  gpu(0).copy(bytes.data(), table.address(), bytes.size());
  return bytes;
}

}  // namespace

TEST_CASE("kept_table: made once, until there are too many") {
  gpu(0).make_current();
  int made = 0;
  const auto table_of = [&](int i) {
    return kept_table("test " + std::to_string(i), [&] {
      ++made;
      return std::vector<std::byte>(16, static_cast<std::byte>(i % 256));
    });
  };
  const Tensor first = table_of(0), again = table_of(0);
  CHECK(made == 1);
  CHECK(first.address() == again.address());
  for (int i = 1; i < 300; ++i) table_of(i);
  CHECK(made == 300);
  CHECK(bytes_of(table_of(299)) == std::vector<std::byte>(16, static_cast<std::byte>(299 % 256)));
  CHECK(made == 300);
  CHECK(bytes_of(table_of(0)) == std::vector<std::byte>(16, std::byte{0}));
  CHECK(made == 301);
  CHECK(bytes_of(first) == std::vector<std::byte>(16, std::byte{0}));  // whoever has it keeps it
}

TEST_CASE("kept_table: threads that ask at the same time share one") {
  std::vector<const void*> addresses(4);
  std::vector<Tensor> tables(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    threads.emplace_back([&, i] {
      gpu(0).make_current();
      tables[i] = kept_table("of threads", [] { return std::vector<std::byte>(8); });
      addresses[i] = tables[i].address();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const void* address : addresses) CHECK(address == addresses[0]);
}

}  // namespace mend::test
