#include "weights/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/atomic_file.h"
#include "engine/error.h"

namespace mend {
namespace {

using Json = nlohmann::json;

// Real headers are below 200 KB; parsed JSON takes up to ten times the bytes of its text.
constexpr std::uint64_t kMostHeaderBytes = 16 << 20;

/// Where one tensor's bytes lie, counted from the end of the header.
struct Range {
  std::uint64_t begin, end;
  std::string key;
};

/// Lets the parser refuse keys that occur twice (JSON keeps the last one in silence) and nesting
/// deeper than a header needs.
class HeaderCheck {
 public:
  explicit HeaderCheck(const std::string& path) : path_(path) {}

  bool operator()(int depth, Json::parse_event_t event, Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (depth > 2) throw CheckpointError(path_ + ": the header is nested too deeply");
      keys_.resize(static_cast<std::size_t>(depth) + 1);
      keys_.back().clear();
    }
    if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) {
        throw CheckpointError(fmt::format("{}: the header has the key {} twice", path_, key));
      }
    }
    if (event == Event::object_end || event == Event::array_end) {
      keys_.resize(static_cast<std::size_t>(depth));
    }
    return true;
  }

 private:
  const std::string& path_;
  std::vector<std::set<std::string>> keys_;  // one set an open object
};

Json parse_header(const std::string& path, std::string_view text) {
  try {
    Json header = Json::parse(text, HeaderCheck(path));
    if (header.is_object()) return header;
  } catch (const Json::exception& error) {
    throw CheckpointError(fmt::format("{}: the header is not JSON: {}", path, error.what()));
  }
  throw CheckpointError(path + ": the header is not a JSON object");
}

StoredType parse_type(const std::string& path, const std::string& key, const std::string& name) {
  for (int i = 0; i <= static_cast<int>(StoredType::kBool); ++i) {
    if (name_of(static_cast<StoredType>(i)) == name) return static_cast<StoredType>(i);
  }
  throw CheckpointError(fmt::format("{}: {}: the type {} is not supported", path, key, name));
}

/// A list of non-negative integers; anything else is refused.
std::vector<std::int64_t> parse_numbers(const std::string& path, const std::string& key,
                                        const Json& list, std::string_view what) {
  std::vector<std::int64_t> numbers;
  bool valid = list.is_array();
  for (std::size_t i = 0; valid && i < list.size(); ++i) {
    valid = list[i].is_number_unsigned() && list[i].get<std::uint64_t>() <= INT64_MAX;
    if (valid) numbers.push_back(list[i].get<std::int64_t>());
  }
  if (!valid) {
    throw CheckpointError(
        fmt::format("{}: {}: {} must be a list of non-negative integers", path, key, what));
  }
  return numbers;
}

const Json& field(const std::string& path, const std::string& key, const Json& entry,
                  const char* name) {
  if (!entry.is_object() || !entry.contains(name)) {
    throw CheckpointError(fmt::format("{}: {}: the header does not give its {}", path, key, name));
  }
  return entry[name];
}

/// The ranges must tile the data section: sorted by begin, each starts where the last one ended.
void check_tiling(const std::string& path, std::vector<Range> ranges, std::uint64_t data_bytes) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t expected = 0;
  std::string previous = "the header";
  for (const Range& range : ranges) {
    if (range.begin != expected) {
      throw CheckpointError(fmt::format(
          "{}: {}: bytes {}..{} {} {}, which ends at {}", path, range.key, range.begin, range.end,
          range.begin < expected ? "overlap" : "leave a hole after", previous, expected));
    }
    expected = range.end;
    previous = range.key;
  }
  if (expected != data_bytes) {
    throw CheckpointError(fmt::format("{}: the tensors end at byte {}, the data section at {}",
                                      path, expected, data_bytes));
  }
}

void read_metadata(Checkpoint& checkpoint, const Json& metadata) {
  if (!metadata.is_object()) {
    throw CheckpointError(checkpoint.path + ": __metadata__ is not a JSON object");
  }
  for (const auto& [key, value] : metadata.items()) {
    if (!value.is_string()) {
      throw CheckpointError(
          fmt::format("{}: __metadata__: {} is not a string", checkpoint.path, key));
    }
    checkpoint.metadata[key] = value.get<std::string>();
  }
}

}  // namespace

bool looks_like_safetensors(std::span<const std::byte> file) {
  return file.size() > 8 && file[8] == std::byte{'{'};  // no zip or PyTorch pickle has it there
}

Checkpoint read_safetensors(const std::string& path, std::shared_ptr<const Bytes> file) {
  ByteReader reader(file->span(), path);
  const auto header_bytes = reader.read<std::uint64_t>("the header's length");
  if (header_bytes > reader.remaining()) {
    reader.fail(fmt::format("the header claims {} bytes, the file has {} more", header_bytes,
                            reader.remaining()));
  }
  if (header_bytes > kMostHeaderBytes) {
    reader.fail(
        fmt::format("the header claims {} bytes, more than {}", header_bytes, kMostHeaderBytes));
  }
  const Json header = parse_header(path, reader.text(header_bytes, "the header"));
  const std::uint64_t data_begin = reader.position();
  const std::uint64_t data_bytes = reader.remaining();

  Checkpoint checkpoint{
      .path = path, .format = "safetensors", .tensors = {}, .metadata = {}, .graph = {}};
  std::vector<Range> ranges;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      read_metadata(checkpoint, entry);
      continue;
    }
    const Json& type_name = field(path, key, entry, "dtype");
    if (!type_name.is_string()) {
      throw CheckpointError(fmt::format("{}: {}: dtype is not a string", path, key));
    }
    const StoredType type = parse_type(path, key, type_name.get<std::string>());
    auto shape = parse_numbers(path, key, field(path, key, entry, "shape"), "shape");
    const auto offsets =
        parse_numbers(path, key, field(path, key, entry, "data_offsets"), "data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1] ||
        static_cast<std::uint64_t>(offsets[1]) > data_bytes) {
      throw CheckpointError(fmt::format("{}: {}: data_offsets {} are outside the {} bytes of data",
                                        path, key, to_string(offsets), data_bytes));
    }
    const auto begin = static_cast<std::uint64_t>(offsets[0]);
    const auto end = static_cast<std::uint64_t>(offsets[1]);
    ranges.push_back({begin, end, key});
    checkpoint.tensors[key] =
        make_stored_tensor(path + ": " + key, type, std::move(shape),
                           Bytes::slice(file, data_begin + begin, end - begin));
  }
  check_tiling(path, std::move(ranges), data_bytes);
  return checkpoint;
}

void write_safetensors(const std::string& path, const std::map<std::string, StoredTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  // Wide types first: after a header padded to 8 bytes, all tensors are then aligned.
  std::vector<std::pair<const std::string*, const StoredTensor*>> order;
  for (const auto& [key, tensor] : tensors) order.emplace_back(&key, &tensor);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return size_of(a.second->type) > size_of(b.second->type);
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::int64_t position = 0;
  for (const auto& [key, tensor] : order) {
    const std::int64_t end = position + tensor->elements() * size_of(tensor->type);
    header[*key] = {{"dtype", name_of(tensor->type)},
                    {"shape", tensor->shape},
                    {"data_offsets", {position, end}}};
    position = end;
  }
  // Keys come from untrusted files: what is not UTF-8 is replaced rather than thrown about.
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');

  AtomicFile file(path);
  const std::uint64_t header_bytes = text.size();
  file.write_bytes(std::as_bytes(std::span(&header_bytes, 1)));
  file.write_bytes(std::as_bytes(std::span(text)));
  for (const auto& [key, tensor] : order) file.write_bytes(tensor->to_bytes());
  file.commit();
}

}  // namespace mend
