#include <fmt/format.h>

#include "engine/error.h"
#include "weights/torch_file.h"
#include "weights/torch_pickle.h"

namespace mend {
namespace {

using namespace pickle;

// torch.serialization.MAGIC_NUMBER and PROTOCOL_VERSION.
constexpr std::string_view kMagicHex = "0x1950a86a20f9469cfc6c";
constexpr std::string_view kMagicDecimal = "119547037146038801333356";
constexpr std::int64_t kVersion = 1001;

/// sys_info says how numbers were written: {'little_endian': True, ...}.
void check_byte_order(const std::string& path, const Value& system) {
  const Dict* facts = system.as<Dict>();
  if (facts == nullptr) throw CheckpointError(path + ": the facts about the system are missing");
  for (const auto& [key, value] : facts->entries) {
    const std::string* name = key->as<std::string>();
    const bool* flag = value->as<bool>();
    if (name != nullptr && *name == "little_endian" && flag != nullptr && !*flag) {
      throw CheckpointError(path +
                            ": was written on a big-endian computer, which is not supported");
    }
  }
}

/// The bytes of all storages, in the order of `keys`.
std::map<std::string, std::shared_ptr<const Bytes>> read_storages(
    ByteReader& reader, const std::shared_ptr<const Bytes>& file, const Value& keys,
    const std::map<std::string, StorageValue>& described) {
  const List* list = keys.as<List>();
  if (list == nullptr) reader.fail("the list of storages is missing");
  std::map<std::string, std::shared_ptr<const Bytes>> storages;
  for (const Value* item : list->items) {
    const std::string* key = item->as<std::string>();
    const auto storage = key != nullptr ? described.find(*key) : described.end();
    if (storage == described.end()) reader.fail("a storage is listed that no tensor refers to");
    const auto elements = reader.read<std::uint64_t>("a storage's size");
    if (elements != static_cast<std::uint64_t>(storage->second.elements)) {
      reader.fail(fmt::format("storage {} has {} elements, its tensors expect {}", *key, elements,
                              storage->second.elements));
    }
    const auto bytes_per_element = static_cast<std::uint64_t>(size_of(storage->second.type));
    if (elements > reader.remaining() / bytes_per_element) {
      reader.fail(fmt::format("truncated: storage {} has {} elements, {} bytes are left", *key,
                              elements, reader.remaining()));
    }
    const std::size_t begin = reader.position();
    reader.take(elements * bytes_per_element, "a storage");
    storages[*key] = Bytes::slice(file, begin, reader.position() - begin);
  }
  return storages;
}

}  // namespace

bool looks_like_torch_legacy(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  return text.starts_with('\x80') || text.starts_with(fmt::format("L{}L\n", kMagicDecimal));
}

Checkpoint read_torch_legacy(const std::string& path, std::shared_ptr<const Bytes> file) {
  ByteReader reader(file->span(), path);
  Arena arena;
  TorchHost host(path);
  const Value* magic = load(reader, arena, host);
  const LongInteger* number = magic->as<LongInteger>();
  if (number == nullptr || (number->digits != kMagicHex && number->digits != kMagicDecimal)) {
    throw CheckpointError(path +
                          ": is a pickle, but not one of PyTorch; save its state_dict with "
                          "torch.save");
  }
  const Value* version = load(reader, arena, host);
  if (version->as<std::int64_t>() == nullptr || *version->as<std::int64_t>() != kVersion) {
    throw CheckpointError(path + ": has an unknown version of PyTorch's older format");
  }
  check_byte_order(path, *load(reader, arena, host));
  const Value* root = load(reader, arena, host);
  const Value* keys = load(reader, arena, host);
  const auto storages = read_storages(reader, file, *keys, host.storages());
  Checkpoint checkpoint = bind_storages(path, find_state(*root, path), storages);
  checkpoint.format = "torch legacy";
  return checkpoint;
}

}  // namespace mend
