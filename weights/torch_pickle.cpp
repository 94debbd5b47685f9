#include "weights/torch_pickle.h"

#include <fmt/format.h>

#include <array>

#include "engine/error.h"

namespace mend {

using namespace pickle;

namespace {

/// What a call gives.
enum class Meaning {
  kTensor,         ///< (storage, offset, size, strides, ...)
  kFirstArgument,  ///< the argument itself: a Parameter is its tensor, a Size its tuple
  kCallArgument,   ///< (function, type, arguments, ...): a tensor with attributes; another call
  kDict,           ///< () or (list of pairs)
  kRecord,         ///< nothing that a checkpoint needs; kept as an inert record
};

struct AllowedCall {
  std::string_view name;
  Meaning meaning;
};

// All that a pickle may call. What is not listed is refused by name.
constexpr std::array kAllowed = std::to_array<AllowedCall>({
    {"torch._utils._rebuild_tensor", Meaning::kTensor},
    {"torch._utils._rebuild_tensor_v2", Meaning::kTensor},
    {"torch._utils._rebuild_parameter", Meaning::kFirstArgument},
    {"torch._utils._rebuild_parameter_with_state", Meaning::kFirstArgument},
    {"torch._tensor._rebuild_from_type_v2", Meaning::kCallArgument},
    {"torch.nn.parameter.Parameter", Meaning::kFirstArgument},
    {"torch.Size", Meaning::kFirstArgument},
    {"_codecs.encode", Meaning::kFirstArgument},  // how Python 2 protocols write bytes
    {"collections.OrderedDict", Meaning::kDict},
    {"collections.defaultdict", Meaning::kRecord},
    {"collections.Counter", Meaning::kRecord},  // a learning-rate schedule's milestones
    {"__builtin__.set", Meaning::kRecord},
    {"builtins.set", Meaning::kRecord},
    {"copy_reg._reconstructor", Meaning::kRecord},  // objects in protocols 0 and 1
    {"copyreg._reconstructor", Meaning::kRecord},
    {"numpy.core.multiarray.scalar", Meaning::kRecord},
    {"numpy.core.multiarray._reconstruct", Meaning::kRecord},
    {"numpy.dtype", Meaning::kRecord},
    {"torch.device", Meaning::kRecord},
    {"torch.nn.backends.thnn._get_thnn_function_backend", Meaning::kRecord},  // modules before 1.3
});

struct StorageType {
  std::string_view name;
  StoredType type;
};
constexpr std::array kStorageTypes = std::to_array<StorageType>({
    {"DoubleStorage", StoredType::kF64},
    {"FloatStorage", StoredType::kF32},
    {"HalfStorage", StoredType::kF16},
    {"BFloat16Storage", StoredType::kBF16},
    {"LongStorage", StoredType::kI64},
    {"IntStorage", StoredType::kI32},
    {"ShortStorage", StoredType::kI16},
    {"CharStorage", StoredType::kI8},
    {"ByteStorage", StoredType::kU8},
    {"BoolStorage", StoredType::kBool},
    {"storage.UntypedStorage", StoredType::kU8},
    {"UntypedStorage", StoredType::kU8},
});

/// The integers of a tuple or list; false if it is something else.
bool read_integers(const Value* value, std::vector<std::int64_t>& numbers) {
  const Tuple* tuple = value->as<Tuple>();
  const List* list = value->as<List>();
  if (tuple == nullptr && list == nullptr) return false;
  for (const Value* item : tuple != nullptr ? tuple->items : list->items) {
    const std::int64_t* number = item->as<std::int64_t>();
    if (number == nullptr) return false;
    numbers.push_back(*number);
  }
  return true;
}

}  // namespace

void TorchHost::fail(const std::string& what) const { throw CheckpointError(path_ + ": " + what); }

Value* TorchHost::call(Arena& arena, const std::string& callable, const Items& arguments) {
  // kCallArgument makes at most one further call: its own meaning is not allowed inside.
  std::string name = callable;
  Items given = arguments;
  for (int calls = 0; calls < 2; ++calls) {
    const AllowedCall* allowed = nullptr;
    for (const AllowedCall& entry : kAllowed) {
      if (entry.name == name) allowed = &entry;
    }
    if (allowed == nullptr) {
      fail(fmt::format("calls {}, which is not allowed; nothing was executed", name));
    }
    switch (allowed->meaning) {
      case Meaning::kTensor:
        return rebuild_tensor(arena, given);
      case Meaning::kDict:
        return make_dict(arena, given);
      case Meaning::kRecord:
        return arena.make(
            Record{.class_name = name, .arguments = given, .items = {}, .entries = {}});
      case Meaning::kFirstArgument:
        if (given.empty()) fail(name + " is called without arguments");
        return given.front();
      case Meaning::kCallArgument: {
        const Global* function = given.size() >= 3 ? given[0]->as<Global>() : nullptr;
        const Tuple* inner = given.size() >= 3 ? given[2]->as<Tuple>() : nullptr;
        if (function == nullptr || inner == nullptr) fail(name + " is called with odd arguments");
        const Items inner_arguments = inner->items;
        name = function->name;
        given = inner_arguments;
      }
    }
  }
  fail(callable + " calls itself");
}

Value* TorchHost::rebuild_tensor(Arena& arena, const Items& arguments) const {
  TensorValue tensor;
  const StorageValue* storage = arguments.size() >= 4 ? arguments[0]->as<StorageValue>() : nullptr;
  const std::int64_t* offset = arguments.size() >= 4 ? arguments[1]->as<std::int64_t>() : nullptr;
  if (storage == nullptr || offset == nullptr || !read_integers(arguments[2], tensor.shape) ||
      !read_integers(arguments[3], tensor.strides)) {
    fail("a tensor is not made of storage, offset, size and strides");
  }
  tensor.storage = *storage;
  tensor.offset = *offset;
  return arena.make(std::move(tensor));
}

Value* TorchHost::make_dict(Arena& arena, const Items& arguments) const {
  Dict dict;
  const List* pairs = arguments.empty() ? nullptr : arguments[0]->as<List>();
  for (const Value* item : pairs != nullptr ? pairs->items : Items{}) {
    const Tuple* tuple = item->as<Tuple>();
    const List* list = item->as<List>();
    const Items pair = tuple != nullptr ? tuple->items : list != nullptr ? list->items : Items{};
    if (pair.size() != 2) fail("an OrderedDict is made of something else than pairs");
    dict.entries.emplace_back(pair[0], pair[1]);
  }
  return arena.make(std::move(dict));
}

Value* TorchHost::persistent(Arena& arena, Value* id) {
  const Tuple* tuple = id->as<Tuple>();
  const std::string* kind =
      tuple != nullptr && !tuple->items.empty() ? tuple->items[0]->as<std::string>() : nullptr;
  if (kind != nullptr && *kind == "storage") {
    StorageValue storage = parse_storage(tuple->items);
    const auto [entry, added] = storages_.emplace(storage.key, storage);
    if (entry->second.type != storage.type || entry->second.elements != storage.elements) {
      fail(fmt::format("storage {} is described in two ways", storage.key));
    }
    return arena.make(std::move(storage));
  }
  // Whole modules carry their source code: ('module', class, file, text). The class is enough.
  if (kind != nullptr && *kind == "module" && tuple->items.size() >= 2) return tuple->items[1];
  fail("refers to something outside the pickle that is no storage");
}

/// ('storage', type, key, location, elements[, view]); view: None or (key, offset, elements).
StorageValue TorchHost::parse_storage(const Items& id) const {
  const Global* type = id.size() >= 5 ? id[1]->as<Global>() : nullptr;
  const std::string* key = id.size() >= 5 ? id[2]->as<std::string>() : nullptr;
  const std::int64_t* elements = id.size() >= 5 ? id[4]->as<std::int64_t>() : nullptr;
  if (type == nullptr || key == nullptr || elements == nullptr || *elements < 0) {
    fail("a storage is not described by type, key and size");
  }
  StorageValue storage{.key = *key, .elements = *elements, .view_elements = *elements};

  const StorageType* known = nullptr;
  for (const StorageType& entry : kStorageTypes) {
    for (const std::string_view module : {"torch.", "torch.cuda."}) {
      if (type->name.starts_with(module) && type->name.substr(module.size()) == entry.name) {
        known = &entry;
      }
    }
  }
  if (known == nullptr) fail(fmt::format("the storage type {} is not supported", type->name));
  storage.type = known->type;

  if (id.size() >= 6 && id[5]->as<None>() == nullptr) {
    const Tuple* view = id[5]->as<Tuple>();
    std::vector<std::int64_t> range;
    const bool valid = view != nullptr && view->items.size() == 3 &&
                       view->items[1]->as<std::int64_t>() != nullptr &&
                       view->items[2]->as<std::int64_t>() != nullptr;
    if (!valid) fail("a view of a storage is not described by key, offset and size");
    storage.view_offset = *view->items[1]->as<std::int64_t>();
    storage.view_elements = *view->items[2]->as<std::int64_t>();
    if (storage.view_offset < 0 || storage.view_elements < 0 ||
        storage.view_offset > storage.elements - storage.view_elements) {
      fail(fmt::format("a view leaves storage {}", storage.key));
    }
  }
  return storage;
}

namespace {

/// Tensors that share storages cost a file nothing, but a reader much: a file of 1 MB could name 10^12
/// elements. Real checkpoints share a storage between two or three tensors (tied weights).
void check_sharing(const std::string& path, const Checkpoint& checkpoint,
                   const std::map<std::string, std::shared_ptr<const Bytes>>& storages) {
  constexpr std::int64_t kMostTimes = 16;
  constexpr std::int64_t kAlwaysAllowed = std::int64_t{1} << 26;
  std::int64_t stored_bytes = 0;
  for (const auto& [key, bytes] : storages)
    stored_bytes += static_cast<std::int64_t>(bytes->size());
  std::int64_t allowed = kAlwaysAllowed + kMostTimes * stored_bytes;
  for (const auto& [key, tensor] : checkpoint.tensors) {
    allowed -= tensor.elements() * size_of(tensor.type);
    if (allowed < 0) throw CheckpointError(path + ": its tensors share storages too often");
  }
}

}  // namespace

Checkpoint bind_storages(const std::string& path, const TorchState& state,
                         const std::map<std::string, std::shared_ptr<const Bytes>>& storages) {
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.metadata = state.scalars;
  for (const auto& [key, tensor] : state.tensors) {
    const StorageValue& storage = tensor.storage;
    const auto bytes = storages.find(storage.key);
    if (bytes == storages.end()) {
      throw CheckpointError(
          fmt::format("{}: {}: its storage {} is missing", path, key, storage.key));
    }
    const auto element = static_cast<std::size_t>(size_of(storage.type));
    const bool whole = storage.view_offset == 0 && storage.view_elements == storage.elements;
    checkpoint.tensors[key] = make_stored_tensor(
        path + ": " + key, storage.type, tensor.shape, tensor.strides, tensor.offset,
        whole ? bytes->second
              : Bytes::slice(bytes->second, static_cast<std::size_t>(storage.view_offset) * element,
                             static_cast<std::size_t>(storage.view_elements) * element));
  }
  check_sharing(path, checkpoint, storages);
  return checkpoint;
}

}  // namespace mend
