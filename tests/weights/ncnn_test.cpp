#include "weights/ncnn.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "tests/support/file_bytes.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

using Floats = std::vector<float>;
using Extents = std::vector<std::int64_t>;

const std::string kF32Tag(4, '\0');
const std::string kF16Tag = bytes_of(std::uint32_t{0x01306B47});

std::string floats(int count) {
  Floats values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return bytes_of(values);
}

std::string graph_of(const std::vector<std::string>& layers) {
  std::string text = "7767517\n" + std::to_string(layers.size()) + " 9\n";
  for (const std::string& layer : layers) text += layer + "\n";
  return text;
}

/// The checkpoint of a pair of files with these contents; errors are CheckpointErrors.
Checkpoint read_pair(const std::string& graph, const std::string& weights,
                     const std::string& given = "net.bin") {
  const TemporaryFolder folder;
  write_file(folder / "net.param", graph);
  write_file(folder / "net.bin", weights);
  return read_checkpoint(folder / given);
}

/// The message of the refusal; empty if the pair is accepted.
std::string pair_refusal(const std::string& graph, const std::string& weights) {
  try {
    read_pair(graph, weights);
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string kConvolution = "Convolution c 1 1 a b 0=2 1=1 11=2 5=1 6=12";  // [2,3,2,1]

}  // namespace

TEST_CASE("ncnn: the text of a graph is data") {
  const NcnnGraph graph = parse_ncnn_param(
      "7767517\r\n2 3\r\nInput  in 0 1 a\r\nConvolution conv 1 1 a b 0=4 1=3 "
      "-23310=2,0.1,-3e2\r\n\r\n",
      "test");
  REQUIRE(graph.layers.size() == 2);
  const NcnnLayer& layer = graph.layers[1];
  CHECK(layer.type == "Convolution");
  CHECK(layer.name == "conv");
  CHECK(layer.inputs == std::vector<std::string>{"a"});
  CHECK(layer.outputs == std::vector<std::string>{"b"});
  CHECK(layer.integer(0, 0) == 4);
  CHECK(layer.integer(11, 7) == 7);
  CHECK(layer.params.at(10) == std::vector<double>{0.1, -300});
  CHECK_THROWS_AS(layer.integer(10, 0), CheckpointError);
}

TEST_CASE("ncnn: weights come in PyTorch's layouts") {
  const Checkpoint checkpoint =
      read_pair(graph_of({kConvolution, "PReLU p 1 1 b c 0=2",
                          "Deconvolution d 1 1 c d 0=3 1=1 6=6",  // [3,2,1,1] -> [2,3,1,1]
                          "DeconvolutionDepthWise g 1 1 d e 0=4 1=1 6=8 7=2",  // 2 groups of [2,2]
                          "InnerProduct i 1 1 e f 0=2 1=1 2=6", "Scale s 2 1 e f g 0=-233",
                          "BatchNorm n 1 1 g h 0=1", "MemoryData m 0 1 i 0=3 1=2"}),
                kF32Tag + floats(12) + floats(2) + floats(2) + kF32Tag + floats(6) + kF32Tag +
                    floats(8) + kF32Tag + floats(6) + floats(2) + floats(4) + floats(6));
  const auto& tensors = checkpoint.tensors;
  CHECK(checkpoint.format == "ncnn");
  CHECK(tensors.at("c.weight").shape == Extents{2, 3, 2, 1});
  CHECK(tensors.at("c.bias").to_f32() == Floats{0, 1});
  CHECK(tensors.at("p.weight").shape == Extents{2});
  CHECK(tensors.at("d.weight").shape == Extents{2, 3, 1, 1});
  CHECK(tensors.at("d.weight").to_f32() == Floats{0, 2, 4, 1, 3, 5});
  CHECK(tensors.at("g.weight").shape == Extents{4, 2, 1, 1});
  CHECK(tensors.at("g.weight").to_f32() == Floats{0, 2, 1, 3, 4, 6, 5, 7});
  CHECK(tensors.at("i.weight").shape == Extents{2, 3});
  CHECK(tensors.at("n.running_var").to_f32() == Floats{2});
  CHECK(tensors.at("m.data").shape == Extents{2, 3});
}

TEST_CASE("ncnn: f16 weights are padded to four bytes, biases stay f32") {
  const std::string one = bytes_of(std::uint16_t{0x3C00}), two = bytes_of(std::uint16_t{0x4000});
  const std::string graph = graph_of({"Convolution c 1 1 a b 0=1 1=1 5=1 6=3"});
  const std::string weights = kF16Tag + one + two + one + std::string(2, '\0') + floats(1);
  for (const char* given : {"net.bin", "net.param"}) {
    const Checkpoint checkpoint = read_pair(graph, weights, given);
    CHECK(checkpoint.tensors.at("c.weight").type == StoredType::kF16);
    CHECK(checkpoint.tensors.at("c.weight").to_f32() == Floats{1, 2, 1});
    CHECK(checkpoint.tensors.at("c.bias").type == StoredType::kF32);
    CHECK(checkpoint.graph == graph);
  }
}

TEST_CASE("ncnn: weights truncated at any byte, or with one more, are refused") {
  const std::string graph = graph_of({kConvolution});
  const std::string weights = kF32Tag + floats(12) + floats(2);
  CHECK(pair_refusal(graph, weights) == "");
  CHECK(contains(pair_refusal(graph, weights + "x"), "1 bytes belong to no layer"));
  for (std::size_t length = 0; length < weights.size(); ++length) {
    CAPTURE(length);
    CHECK(pair_refusal(graph, weights.substr(0, length)) != "");
  }
}

TEST_CASE("ncnn: a graph truncated at any byte is refused") {
  const std::string graph = graph_of({kConvolution, "PReLU p 1 1 b c 0=2"});
  const std::string weights = kF32Tag + floats(12) + floats(2) + floats(2);
  REQUIRE(pair_refusal(graph, weights) == "");
  for (std::size_t length = 0; length + 1 < graph.size(); ++length) {  // the last byte ends a line
    CAPTURE(length);
    CHECK(pair_refusal(graph.substr(0, length), weights) != "");
  }
}

TEST_CASE("ncnn: impossible graphs are refused with the line or the layer") {
  struct Hostile {
    const char* layer;
    const char* message;
  };
  for (const Hostile& hostile :
       {Hostile{"Convolution c 9999999 1 a b",
                "line 3: the number of inputs 9999999 is impossible"},
        Hostile{"Convolution c -1 1 a b", "the number of inputs -1 is impossible"},
        Hostile{"Convolution c 1", "line 3: the number of outputs is missing"},
        Hostile{"Convolution c 1 1 a b nonsense", "nonsense is not id=value"},
        Hostile{"Convolution c 1 1 a b 0=1,2", "parameter 0=1,2 has 2 values"},
        Hostile{"Convolution c 1 1 a b -23300=5,1", "does not have as many values"},
        Hostile{"Convolution c 1 1 a b 0=x", "a parameter is no number"},
        Hostile{"Convolution c 1 1 a b 0=2 1=3 6=0", "the number of its weights is 0"},
        Hostile{"Convolution c 1 1 a b 0=-2 1=3 6=9", "the number of outputs is -2"},
        Hostile{"Convolution c 1 1 a b 0=2 1=3 6=17", "17 weights do not fill 2 kernels of 3x3"},
        Hostile{"Convolution c 1 1 a b 0=2147483647 1=2147483647 11=2147483647 6=8",
                "8 weights do not fill"},
        Hostile{"Convolution c 1 1 a b 0=1 1=1 6=2147483647", "truncated"},
        Hostile{"Convolution c 1 1 a b 0=1.5 1=1 6=1", "must be an integer"},
        Hostile{"Convolution c 1 1 a b 0=1 1=1 6=1 8=1", "has int8 weights"},
        Hostile{"MemoryData m 0 1 a 0=2147483647 1=2147483647 2=2147483647", "impossible extents"},
        Hostile{"MemoryData m 0 1 a 0=2147483647 1=2147483647", "is larger than the file"},
        Hostile{"InnerProduct i 1 1 a b 0=0 2=4", "the number of outputs is 0"},
        Hostile{"ReLU r 1 1 a b", "bytes belong to no layer"}}) {
    CAPTURE(hostile.layer);
    const std::string message = pair_refusal(graph_of({hostile.layer}), kF32Tag + floats(1));
    CAPTURE(message);
    CHECK(contains(message, hostile.message));
  }
  CHECK(contains(pair_refusal(graph_of({"PReLU p 1 1 a b 0=1", "PReLU p 1 1 b c 0=1"}), floats(2)),
                 "another layer has the same name"));
  CHECK(contains(
      pair_refusal(graph_of({"Convolution c 1 1 a b 0=1 1=1 6=1"}), "\1\2\3\4" + floats(1)),
      "weights of an unknown kind 0x04030201"));
  CHECK(contains(pair_refusal("7767517\n2 2\nInput a 0 1 a\n", floats(1)),
                 "layer 1 of 2 is missing"));
}
