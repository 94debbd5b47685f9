// Tensors in files, as the frameworks have them: safetensors, NCHW, f32.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "weights/checkpoint.h"

namespace mend {

/// Every tensor of the file as f32 [N,H,W,C]; one with fewer than four extents stands at the end of
/// {1,1,1,1}: a vector is a tensor [1,1,1,C]. Throws InputError for files that are none, and for
/// tensors of more than four extents.
std::map<std::string, Tensor> read_tensors(const std::string& path);

/// Writes [N,H,W,C] as NCHW, and rows of tokens [N,1,T,C] under the names in `tokens` as [N,T,C]; beside
/// them `more`, as it is. Throws WriteError.
void write_tensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                   const std::vector<std::string>& tokens = {},
                   const std::map<std::string, StoredTensor>& more = {});

}  // namespace mend
