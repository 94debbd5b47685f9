// TensorFlow's frozen graphs (.pb): the constants of a GraphDef, as tensors under their nodes' names.
//
//   GraphDef { node = 1: NodeDef { name = 1, op = 2, input = 3, attr = 5 { key, AttrValue } } }
//   a Const's attr "value": AttrValue { tensor = 8: TensorProto { dtype = 1, shape = 2, content = 4 } }
//
// Source: tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape}.proto and the
// wire format of protocol buffers. A graph has no magic number; networks are known by node names.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "weights/checkpoint.h"

namespace mend {

/// Whether the file opens as a GraphDef does: a node that begins with its name.
bool looks_like_graphdef(std::span<const std::byte> file);

/// The f32 constants with at least one extent; scalars and integers belong to the graph, not to the
/// network. Four extents are a convolution's HWIO and are given as OIHW. Shares `file`.
/// Throws CheckpointError that names `path` and the node.
Checkpoint read_graphdef(const std::string& path, std::shared_ptr<const Bytes> file);

}  // namespace mend
