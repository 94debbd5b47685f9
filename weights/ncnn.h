// ncnn models: a graph as text (.param) and the weights of its layers, one after another (.bin).
//
//   7767517                                    magic number
//   72 73                                      layers, blobs
//   Convolution  Conv_0  1 1 data 102  0=64 1=3 4=1 5=1 6=1728
//   type         name    inputs outputs their names, then id=value; -23300-id=count,value,...
//
// Source: ncnn's wiki, "param and model file structure" and "operators". The .bin has no names and
// no sizes: only a walk through the graph tells what lies where, so every byte must be accounted for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weights/checkpoint.h"

namespace mend {

/// One line of a .param file.
struct NcnnLayer {
  std::string type, name;
  std::vector<std::string> inputs, outputs;   ///< names of blobs
  std::map<int, std::vector<double>> params;  ///< by id; a plain value is a list of one

  /// The parameter as a number, or `otherwise` if the line does not give it.
  double number(int id, double otherwise) const;
  /// The same, for integers; throws CheckpointError if it is none.
  int integer(int id, int otherwise) const;
};

struct NcnnGraph {
  std::vector<NcnnLayer> layers;  ///< in the order they run
};

bool looks_like_ncnn_param(std::string_view text);

/// Throws CheckpointError naming `source` and the line.
NcnnGraph parse_ncnn_param(std::string_view text, const std::string& source);

/// The weights of `graph` as tensors in PyTorch's layouts (all others 1-D):
///   Convolution[DepthWise]    NAME.weight [K,C/groups,R,S], NAME.bias [K]
///   Deconvolution[DepthWise]  NAME.weight [C,K/groups,R,S], NAME.bias [K]
///   InnerProduct              NAME.weight [out,in], NAME.bias [out]
///   PReLU, Scale, InstanceNorm  NAME.weight, NAME.bias
///   BatchNorm                 NAME.weight, NAME.running_mean, NAME.running_var, NAME.bias
///   MemoryData                NAME.data
/// Weights are f32 or f16 as stored. Throws CheckpointError if bytes are missing or left over.
std::map<std::string, StoredTensor> read_ncnn_weights(const NcnnGraph& graph,
                                                      const std::shared_ptr<const Bytes>& bin,
                                                      const std::string& source);

/// Reads a pair of files; `checkpoint.path` is the .bin and `checkpoint.graph` the .param's text.
Checkpoint read_ncnn(const std::string& param_path, const std::string& bin_path);

}  // namespace mend
