// Other names of the same parameters. That the numbers arrive is for the parity test.
#include "models/official_keys.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "engine/error.h"

namespace mend::test {
namespace {

Checkpoint with_keys(const std::vector<std::string>& keys, const std::string& format = "") {
  Checkpoint checkpoint;
  checkpoint.path = "net.pth";
  checkpoint.format = format;
  for (const std::string& key : keys) checkpoint.tensors[key] = make_stored_tensor({1}, {0.0f});
  return checkpoint;
}

std::vector<std::string> keys_of(const Checkpoint& checkpoint) {
  std::vector<std::string> keys;
  for (const auto& [key, tensor] : checkpoint.tensors) keys.push_back(key);
  return keys;
}

}  // namespace

TEST_CASE("official keys: the first ESRGAN's tail is found at every scale") {
  struct Tail {
    std::vector<std::string> modules;   // after model.1
    std::vector<std::string> official;  // in alphabetical order
  };
  const Tail kTails[] = {
      {{"2", "4"}, {"conv_hr", "conv_last"}},                                     // x1
      {{"3", "5", "7"}, {"conv_hr", "conv_last", "conv_up1"}},                    // x2
      {{"3", "6", "8", "10"}, {"conv_hr", "conv_last", "conv_up1", "conv_up2"}},  // x4
      {{"3", "6", "9", "11", "13"},                                               // x8
       {"conv_hr", "conv_last", "conv_up1", "conv_up2", "conv_up3"}},
  };
  for (const Tail& tail : kTails) {
    std::vector<std::string> keys = {"model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight",
                                     "model.1.sub.1.RDB1.conv1.0.weight", "model.1.sub.2.weight"};
    for (const std::string& module : tail.modules) keys.push_back("model." + module + ".weight");
    std::vector<std::string> expected = {"body.0.rdb1.conv1.weight", "body.1.rdb1.conv1.weight",
                                         "conv_body.weight", "conv_first.weight"};
    for (const std::string& name : tail.official) expected.push_back(name + ".weight");
    CHECK(keys_of(to_official_keys(with_keys(keys))) == expected);
  }
}

TEST_CASE("official keys: names of graph nodes mean something in ncnn files alone") {
  const std::vector<std::string> nodes = {"Conv_0.weight", "Conv_2.weight"};
  CHECK(keys_of(to_official_keys(with_keys(nodes, "ncnn"))) ==
        std::vector<std::string>{"model.0.weight", "model.2.weight"});
  CHECK(keys_of(to_official_keys(with_keys(nodes, "safetensors"))) == nodes);
}

TEST_CASE("official keys: a fully connected layer of ncnn becomes a 1x1 convolution") {
  Checkpoint checkpoint = with_keys({"Conv_0.bias", "Conv_2.weight"}, "ncnn");
  checkpoint.tensors["Conv_0.weight"] = make_stored_tensor({2, 3}, {1, 2, 3, 4, 5, 6});
  checkpoint = to_official_keys(std::move(checkpoint));
  const StoredTensor& widened = checkpoint.tensors.at("model.0.weight");
  CHECK(widened.shape == std::vector<std::int64_t>{2, 3, 1, 1});
  CHECK(widened.to_f32() == std::vector<float>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("official keys: LaMa's generator is taken out of a training checkpoint") {
  const std::vector<std::string> generator = {"model.1.ffc.convl2l.weight", "model.4.bn_g.weight"};
  CHECK(keys_of(to_official_keys(with_keys(
            {"discriminator.model0.0.weight", "generator.model.1.ffc.convl2l.weight",
             "generator.model.4.bn_g.weight", "loss_resnet_pl.impl.conv1.weight"}))) == generator);
  CHECK(keys_of(to_official_keys(with_keys(
            {"model.model.1.ffc.convl2l.weight", "model.model.4.bn_g.weight"}))) == generator);
  CHECK(keys_of(to_official_keys(with_keys(generator))) == generator);
}

TEST_CASE("official keys: two names for one parameter are refused") {
  CHECK_THROWS_AS(to_official_keys(with_keys(
                      {"RRDB_trunk.0.RDB1.conv1.weight", "HRconv.weight", "conv_hr.weight"})),
                  CheckpointError);
}

}  // namespace mend::test
