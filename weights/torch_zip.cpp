#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <cctype>

#include "engine/error.h"
#include "weights/torch_file.h"
#include "weights/torch_pickle.h"

namespace mend {
namespace {

// PyTorch stores its entries uncompressed; archives that were packed again shrink by less than 10.
// Zeros alone reach 1000, which only a zip bomb does.
constexpr std::uint64_t kMostExpansion = 200;
constexpr std::uint64_t kAlwaysAllowedBytes = 16 << 20;  // small files of zeros are harmless
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 30;
constexpr std::uint64_t kMostPickleBytes = 32 << 20;

constexpr std::string_view kPickleName = "data.pkl";

/// The entries of an archive by name, read on demand.
class Archive {
 public:
  Archive(const std::string& path, std::span<const std::byte> file) : path_(path) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_create(file.data(), file.size(), 0, &error);
    zip_ = source != nullptr ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr;
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (zip_ == nullptr) {
      if (source != nullptr) zip_source_free(source);
      throw CheckpointError(fmt::format("{}: is a damaged zip archive: {}", path, reason));
    }
    try {
      list_entries(file.size());
    } catch (...) {
      zip_discard(zip_);  // the destructor of a half-made object does not run
      throw;
    }
  }
  ~Archive() { zip_discard(zip_); }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  /// The folder (with its slash) that holds data.pkl.
  std::string folder() const {
    std::string found;
    int count = 0;
    for (const auto& [name, entry] : entries_) {
      const std::size_t slash = name.find('/');
      const std::string_view file =
          slash == std::string::npos ? name : std::string_view(name).substr(slash + 1);
      if (file != kPickleName) continue;
      found = name.substr(0, name.size() - kPickleName.size());
      ++count;
    }
    if (count != 1) {
      throw CheckpointError(fmt::format(
          "{}: is a zip archive with {} data.pkl; a PyTorch checkpoint has one", path_, count));
    }
    return found;
  }

  bool has(const std::string& name) const { return entries_.contains(name); }
  std::uint64_t size(const std::string& name) const { return find(name).bytes; }

  std::vector<std::byte> read(const std::string& name) const {
    const Entry& entry = find(name);
    std::vector<std::byte> bytes(entry.bytes);
    zip_file_t* file = zip_fopen_index(zip_, entry.index, 0);
    if (file == nullptr) fail(name, zip_strerror(zip_));
    std::uint64_t filled = 0;
    zip_int64_t step = 1;
    while (filled < bytes.size() && step > 0) {
      step = zip_fread(file, bytes.data() + filled, bytes.size() - filled);
      if (step > 0) filled += static_cast<std::uint64_t>(step);
    }
    std::byte beyond;
    if (step >= 0) step = zip_fread(file, &beyond, 1);  // at the end, libzip checks the CRC
    const std::string reason = step < 0 ? zip_file_strerror(file) : "its size is wrong";
    zip_fclose(file);
    if (step != 0 || filled != bytes.size()) fail(name, reason);
    return bytes;
  }

 private:
  struct Entry {
    zip_uint64_t index;
    std::uint64_t bytes;  // unpacked
  };

  void list_entries(std::uint64_t file_bytes) {
    const std::uint64_t allowed =
        std::min(kMostBytes, std::max(kAlwaysAllowedBytes, file_bytes * kMostExpansion));
    std::uint64_t total = 0;
    const zip_int64_t count = zip_get_num_entries(zip_, 0);
    for (zip_int64_t i = 0; i < count; ++i) {
      zip_stat_t status;
      const bool known = zip_stat_index(zip_, static_cast<zip_uint64_t>(i), 0, &status) == 0 &&
                         (status.valid & ZIP_STAT_NAME) != 0 && (status.valid & ZIP_STAT_SIZE) != 0;
      if (!known) fail(fmt::format("entry {}", i), "it has no name or size");
      const std::string name = status.name;
      check_name(name);
      if (status.size > allowed - total) {
        throw CheckpointError(fmt::format("{}: {}: unpacks to more than {} bytes; a zip bomb?",
                                          path_, name, allowed));
      }
      total += status.size;
      if (!entries_.emplace(name, Entry{status.index, status.size}).second) {
        fail(name, "the archive has it twice");
      }
    }
  }

  /// Entries are never written to the disk, but a name that would leave a folder is no checkpoint's.
  void check_name(const std::string& name) const {
    const bool odd = name.empty() || name.front() == '/' || name.find('\\') != std::string::npos ||
                     ("/" + name + "/").find("/../") != std::string::npos ||
                     std::any_of(name.begin(), name.end(),
                                 [](unsigned char letter) { return std::iscntrl(letter) != 0; });
    if (odd) throw CheckpointError(fmt::format("{}: has an entry with an odd name", path_));
  }

  const Entry& find(const std::string& name) const {
    const auto entry = entries_.find(name);
    if (entry == entries_.end()) fail(name, "it is missing");
    return entry->second;
  }

  [[noreturn]] void fail(const std::string& name, const std::string& reason) const {
    throw CheckpointError(fmt::format("{}: {}: cannot be read: {}", path_, name, reason));
  }

  std::string path_;
  zip_t* zip_ = nullptr;
  std::map<std::string, Entry> entries_;
};

void check_byte_order(const std::string& path, const Archive& archive, const std::string& folder) {
  const std::string name = folder + "byteorder";  // since PyTorch 2.1
  if (!archive.has(name) || archive.size(name) > 16) return;
  const std::vector<std::byte> order = archive.read(name);
  if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little") {
    throw CheckpointError(path + ": was written on a big-endian computer, which is not supported");
  }
}

}  // namespace

bool looks_like_zip(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  return text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06");  // the latter: empty
}

Checkpoint read_torch_zip(const std::string& path, std::shared_ptr<const Bytes> file) {
  const Archive archive(path, file->span());
  const std::string folder = archive.folder();
  check_byte_order(path, archive, folder);
  const std::string pickle_name = folder + std::string(kPickleName);
  if (archive.size(pickle_name) > kMostPickleBytes) {
    throw CheckpointError(
        fmt::format("{}: {} is larger than any checkpoint needs", path, pickle_name));
  }
  const std::vector<std::byte> program = archive.read(pickle_name);
  ByteReader reader(program, path + ": " + pickle_name);
  pickle::Arena arena;
  TorchHost host(path);
  const TorchState state = find_state(*pickle::load(reader, arena, host), path);

  std::map<std::string, std::shared_ptr<const Bytes>> storages;
  for (const auto& [key, tensor] : state.tensors) {
    const pickle::StorageValue& storage = tensor.storage;
    if (storages.contains(storage.key)) continue;
    const std::string name = folder + "data/" + storage.key;
    const std::uint64_t stored = archive.size(name);
    const auto element = static_cast<std::uint64_t>(size_of(storage.type));
    if (stored % element != 0 || stored / element != static_cast<std::uint64_t>(storage.elements)) {
      throw CheckpointError(fmt::format("{}: {}: has {} bytes, {} needs {} elements of {}", path,
                                        name, stored, key, storage.elements,
                                        name_of(storage.type)));
    }
    storages[storage.key] = Bytes::own(archive.read(name));
  }
  Checkpoint checkpoint = bind_storages(path, state, storages);
  checkpoint.format = "torch zip";
  return checkpoint;
}

}  // namespace mend
