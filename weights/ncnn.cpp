// The weights of a .bin file, by a walk through the graph.
#include "weights/ncnn.h"

#include <fmt/format.h>

#include "engine/error.h"

namespace mend {
namespace {

// What precedes a layer's main weights. Biases and other vectors are f32 without a tag.
constexpr std::uint32_t kTagF32 = 0;
constexpr std::uint32_t kTagF32Unscaled = 0x0002C056;
constexpr std::uint32_t kTagF16 = 0x01306B47;
constexpr std::uint32_t kTagInt8 = 0x000D4B38;

// Parameter ids of ncnn's layers.
namespace id {
constexpr int kOutputs = 0, kKernelWidth = 1, kBias = 5, kWeights = 6, kGroups = 7, kInt8 = 8;
constexpr int kKernelHeight = 11, kDynamicWeight = 19;
constexpr int kInnerProductBias = 1, kInnerProductWeights = 2;
constexpr int kSize = 0, kScaleBias = 1, kInstanceNormAffine = 2;
constexpr int kWidth = 0, kHeight = 1, kChannels = 2, kDepth = 11;
}  // namespace id

// A Scale layer of this size takes its factors from an input blob.
constexpr int kFromInput = -233;

/// Extents of a convolution's weights.
struct KernelExtents {
  std::int64_t K, C, R, S, groups;  // C: input channels of one group
};

class WeightReader {
 public:
  WeightReader(const std::shared_ptr<const Bytes>& bin, const std::string& source)
      : bin_(bin), reader_(bin->span(), source) {}

  void read(const NcnnLayer& layer) {
    layer_ = &layer;
    const std::string& type = layer.type;
    if (type == "Convolution" || type == "ConvolutionDepthWise") {
      read_convolution(false);
    } else if (type == "Deconvolution" || type == "DeconvolutionDepthWise") {
      read_convolution(true);
    } else if (type == "InnerProduct") {
      read_inner_product();
    } else if (type == "PReLU") {
      read_vector("weight", layer.integer(id::kSize, 0));
    } else if (type == "Scale") {
      read_scale();
    } else if (type == "BatchNorm") {
      const int channels = layer.integer(id::kSize, 0);
      for (const char* name : {"weight", "running_mean", "running_var", "bias"}) {
        read_vector(name, channels);
      }
    } else if (type == "InstanceNorm") {
      if (layer.integer(id::kInstanceNormAffine, 1) == 0) return;
      read_vector("weight", layer.integer(id::kSize, 0));
      read_vector("bias", layer.integer(id::kSize, 0));
    } else if (type == "MemoryData") {
      read_memory();
    }
    // All other layers are taken to have no weights; if one has, bytes are left over.
  }

  std::map<std::string, StoredTensor> finish() {
    if (reader_.remaining() != 0) {
      reader_.fail(fmt::format("{} bytes belong to no layer that is known to have weights",
                               reader_.remaining()));
    }
    return std::move(tensors_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw CheckpointError(
        fmt::format("{}: layer {} ({}): {}", reader_.source(), layer_->name, layer_->type, what));
  }

  void add(const std::string& name, StoredTensor tensor) {
    const std::string key = layer_->name + "." + name;
    if (!tensors_.emplace(key, std::move(tensor)).second) fail("another layer has the same name");
  }

  /// The next `bytes` bytes in place.
  std::shared_ptr<const Bytes> take(std::uint64_t bytes, const std::string& what) {
    const std::size_t begin = reader_.position();
    reader_.take(bytes, what);
    return Bytes::slice(bin_, begin, static_cast<std::size_t>(bytes));
  }

  std::uint64_t positive(int value, std::string_view what) const {
    if (value <= 0) fail(fmt::format("{} is {}", what, value));
    return static_cast<std::uint64_t>(value);
  }

  void read_vector(const std::string& name, int elements) {
    const std::uint64_t count = positive(elements, "the size of its " + name);
    add(name, make_stored_tensor(layer_->name, StoredType::kF32, {elements},
                                 take(count * sizeof(float), layer_->name + "." + name)));
  }

  /// Main weights: a tag, then elements of its type, up to a multiple of 4 bytes.
  StoredTensor read_tagged(std::vector<std::int64_t> shape, int elements) {
    const std::string what = layer_->name + ".weight";
    const std::uint64_t count = positive(elements, "the number of its weights");
    const auto tag = reader_.read<std::uint32_t>(what);
    if (tag == kTagInt8) fail("has int8 weights; use the f32 or f16 model");
    const bool half = tag == kTagF16;
    if (!half && tag != kTagF32 && tag != kTagF32Unscaled) {
      fail(fmt::format("has weights of an unknown kind 0x{:08X}", tag));
    }
    const StoredType type = half ? StoredType::kF16 : StoredType::kF32;
    auto bytes = take(count * static_cast<std::uint64_t>(size_of(type)), what);
    if (half && count % 2 == 1) reader_.take(2, "the padding of " + what);
    return make_stored_tensor(what, type, std::move(shape), std::move(bytes));
  }

  KernelExtents kernel_extents(int weights) const {
    const auto param = [&](int which, int otherwise, const char* what) {
      return static_cast<std::int64_t>(positive(layer_->integer(which, otherwise), what));
    };
    KernelExtents kernel;
    kernel.K = param(id::kOutputs, 0, "the number of outputs");
    kernel.S = param(id::kKernelWidth, 0, "the kernel's width");
    kernel.R = param(id::kKernelHeight, static_cast<int>(kernel.S), "the kernel's height");
    kernel.groups = param(id::kGroups, 1, "the number of groups");
    std::int64_t others = 0;  // all extents but C
    if (__builtin_mul_overflow(kernel.K * kernel.R, kernel.S, &others) || weights % others != 0 ||
        kernel.K % kernel.groups != 0) {
      fail(fmt::format("{} weights do not fill {} kernels of {}x{} in {} groups", weights, kernel.K,
                       kernel.S, kernel.R, kernel.groups));
    }
    kernel.C = weights / others;
    return kernel;
  }

  void read_convolution(bool transposed) {
    if (layer_->integer(id::kDynamicWeight, 0) != 0) return;  // its weights are an input
    if (layer_->integer(id::kInt8, 0) != 0) fail("has int8 weights; use the f32 or f16 model");
    const int weights = layer_->integer(id::kWeights, 0);
    positive(weights, "the number of its weights");
    const KernelExtents kernel = kernel_extents(weights);
    StoredTensor weight = read_tagged({kernel.K, kernel.C, kernel.R, kernel.S}, weights);
    add("weight", transposed ? to_iohw(weight, kernel) : std::move(weight));
    if (layer_->integer(id::kBias, 0) != 0) read_vector("bias", static_cast<int>(kernel.K));
  }

  /// ncnn keeps transposed kernels as [K,C,R,S] too; PyTorch's are [groups·C, K/groups, R, S].
  static StoredTensor to_iohw(const StoredTensor& oihw, const KernelExtents& kernel) {
    const std::vector<std::byte> from = oihw.to_bytes();
    std::vector<std::byte> to;
    to.reserve(from.size());
    const std::int64_t plane = kernel.R * kernel.S * size_of(oihw.type);  // bytes of one r,s plane
    const std::int64_t group_outputs = kernel.K / kernel.groups;
    for (std::int64_t g = 0; g < kernel.groups; ++g)
      for (std::int64_t c = 0; c < kernel.C; ++c)
        for (std::int64_t k = 0; k < group_outputs; ++k) {
          const auto first = from.begin() + ((g * group_outputs + k) * kernel.C + c) * plane;
          to.insert(to.end(), first, first + plane);
        }
    return make_stored_tensor("weight", oihw.type,
                              {kernel.groups * kernel.C, group_outputs, kernel.R, kernel.S},
                              Bytes::own(std::move(to)));
  }

  void read_inner_product() {
    if (layer_->integer(id::kInt8, 0) != 0) fail("has int8 weights; use the f32 or f16 model");
    const int outputs = layer_->integer(id::kOutputs, 0);
    const int weights = layer_->integer(id::kInnerProductWeights, 0);
    positive(outputs, "the number of outputs");
    if (weights % outputs != 0) fail(fmt::format("{} weights, {} outputs", weights, outputs));
    add("weight", read_tagged({outputs, weights / outputs}, weights));
    if (layer_->integer(id::kInnerProductBias, 0) != 0) read_vector("bias", outputs);
  }

  void read_scale() {
    const int size = layer_->integer(id::kSize, 0);
    if (size == kFromInput) return;
    read_vector("weight", size);
    if (layer_->integer(id::kScaleBias, 0) != 0) read_vector("bias", size);
  }

  void read_memory() {
    std::vector<std::int64_t> shape;  // extents of 0 are absent dimensions
    std::int64_t elements = 1;
    for (const int which : {id::kChannels, id::kDepth, id::kHeight, id::kWidth}) {
      const int extent = layer_->integer(which, 0);
      if (extent < 0 || __builtin_mul_overflow(elements, std::max(extent, 1), &elements)) {
        fail("has impossible extents");
      }
      if (extent > 0) shape.push_back(extent);
    }
    if (elements > static_cast<std::int64_t>(reader_.remaining())) fail("is larger than the file");
    add("data", make_stored_tensor(layer_->name, StoredType::kF32, std::move(shape),
                                   take(static_cast<std::uint64_t>(elements) * sizeof(float),
                                        layer_->name + ".data")));
  }

  const std::shared_ptr<const Bytes>& bin_;
  ByteReader reader_;
  const NcnnLayer* layer_ = nullptr;
  std::map<std::string, StoredTensor> tensors_;
};

}  // namespace

std::map<std::string, StoredTensor> read_ncnn_weights(const NcnnGraph& graph,
                                                      const std::shared_ptr<const Bytes>& bin,
                                                      const std::string& source) {
  WeightReader reader(bin, source);
  for (const NcnnLayer& layer : graph.layers) reader.read(layer);
  return reader.finish();
}

Checkpoint read_ncnn(const std::string& param_path, const std::string& bin_path) {
  const std::shared_ptr<const Bytes> param = Bytes::map(param_path);
  Checkpoint checkpoint;
  checkpoint.path = bin_path;
  checkpoint.format = "ncnn";
  checkpoint.graph.assign(reinterpret_cast<const char*>(param->data()), param->size());
  const NcnnGraph graph = parse_ncnn_param(checkpoint.graph, param_path);
  checkpoint.tensors = read_ncnn_weights(graph, Bytes::map(bin_path), bin_path);
  return checkpoint;
}

}  // namespace mend
