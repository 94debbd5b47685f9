#include "weights/scope.h"

#include <doctest/doctest.h>

#include "engine/error.h"

using namespace mend;

namespace {

StoredTensor counting(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return make_stored_tensor(shape, values);
}

std::shared_ptr<ParameterStore> store_of(
    const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  Checkpoint checkpoint;
  checkpoint.path = "net.pth";
  for (const auto& [key, shape] : shapes) checkpoint.tensors[key] = counting(shape);
  return std::make_shared<ParameterStore>(std::move(checkpoint), "Net(features 2)");
}

std::string complaint(const ParameterStore& store) {
  try {
    store.finish();
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("scope: a kernel is repacked from OIHW to K,R,S,C") {
  const auto store = store_of({{"body.7.conv.weight", {2, 3, 4, 5}}});
  const Tensor kernel = (Scope(store) / "body" / 7 / "conv").kernel("weight", 2, 4, 5, 3);
  CHECK(kernel.name() == "body.7.conv.weight");
  CHECK(kernel.shape() == Shape{2, 4, 5, 3});
  for (int k = 0; k < 2; ++k)
    for (int c = 0; c < 3; ++c)
      for (int r = 0; r < 4; ++r)
        for (int s = 0; s < 5; ++s) {
          const float expected = static_cast<float>(((k * 3 + c) * 4 + r) * 5 + s);
          CHECK(kernel.view<float>()(k, r, s, c) == expected);
        }
  CHECK_NOTHROW(store->finish());
}

TEST_CASE("scope: a transposed kernel is repacked from IOHW to K,R,S,C, group by group") {
  const auto store = store_of({{"up.weight", {4, 3, 2, 2}}});  // 2 groups of 2 -> 3 channels
  const Tensor kernel = (Scope(store) / "up").transposed_kernel("weight", 6, 2, 2, 2, 2);
  CHECK(kernel.shape() == Shape{6, 2, 2, 2});
  // Output 4 is number 1 of group 1; its input channel 0 is input channel 2 of all.
  CHECK(kernel.view<float>()(4, 1, 0, 0) == static_cast<float>(((2 * 3 + 1) * 2 + 1) * 2 + 0));
  CHECK_NOTHROW(store->finish());
}

TEST_CASE("scope: vectors come from any extents, matrices from [rows, columns]") {
  const auto store = store_of({{"beta", {1, 3, 1, 1}}, {"m", {2, 3}}, {"table", {4, 1, 2}}});
  const Scope scope(store);
  CHECK(scope.vector("beta", 3).shape() == vector_shape(3));
  CHECK(scope.matrix("m", 2, 3).shape() == Shape{1, 1, 2, 3});
  CHECK(scope.dense("table", {4, 1, 2}, {1, 1, 4, 2}).shape() == Shape{1, 1, 4, 2});
  CHECK_NOTHROW(store->finish());
}

TEST_CASE("scope: looking is no use") {
  const auto store = store_of({{"a.weight", {1}}});
  const Scope a = Scope(store) / "a";
  CHECK(a.any());
  CHECK(a.has("weight"));
  CHECK(!a.has("bias"));
  CHECK(!(Scope(store) / "b").any());
  CHECK(a.shape_of("weight") == std::vector<std::int64_t>{1});
  CHECK(a.shape_of("bias").empty());
  CHECK(complaint(*store) == "net.pth: does not fit Net(features 2): 1 surplus: a.weight");
}

TEST_CASE("scope: a misshaped key is reported with both shapes") {
  const auto store = store_of({{"conv.weight", {2, 4, 3, 3}}});
  const Tensor kernel = (Scope(store) / "conv").kernel("weight", 2, 3, 3, 8);
  CHECK(kernel.shape() == Shape{2, 3, 3, 8});
  CHECK(kernel.view<float>()(1, 2, 2, 7) == 0);
  CHECK(complaint(*store) ==
        "net.pth: does not fit Net(features 2): conv.weight: checkpoint has [2,3,3,4] (k,r,s,c), "
        "Net(features 2) wants [2,3,3,8]");
}

TEST_CASE("scope: missing, misshaped and surplus keys are reported together, three of each") {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (int i = 0; i < 5; ++i) shapes["extra." + std::to_string(i)] = {1};
  for (int i = 0; i < 4; ++i) shapes["wrong." + std::to_string(i)] = {2, 2};
  const auto store = store_of(shapes);
  const Scope scope(store);
  for (int i = 0; i < 4; ++i) (scope / "wrong").matrix(std::to_string(i), 3, 3);
  scope.vector("gone", 3);
  const std::string message = complaint(*store);
  CAPTURE(message);
  CHECK(message.find("4 keys have other shapes: wrong.0: checkpoint has [2,2]") !=
        std::string::npos);
  CHECK(message.find("wrong.3") == std::string::npos);
  CHECK(message.find("1 missing: gone") != std::string::npos);
  CHECK(message.find("5 surplus: extra.0, extra.1, extra.2, ...") != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
}

TEST_CASE("scope: ignored keys may be surplus or missing") {
  const auto store = store_of({{"a.bn.num_batches_tracked", {}},
                               {"a.attn.relative_position_index", {4}},
                               {"mask.x.y", {4}}});
  const Scope scope(store);
  (scope / "a" / "attn").ignore("relative_position_index");
  store->ignore("mask");
  store->ignore("gone");
  scope.vector("gone", 3);
  CHECK(complaint(*store) == "");
}
