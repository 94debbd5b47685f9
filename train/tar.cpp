#include "train/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>

#include "engine/error.h"

namespace mend {
namespace {

constexpr std::int64_t kBlock = 512;
/// Of long names and pax records: a path has at most 4096 bytes on Linux.
constexpr std::int64_t kMostExtra = 1 << 16;
constexpr std::size_t kMostMembers = 10'000'000;
constexpr std::int64_t kMostBytes = std::int64_t{2} << 30;  // of a member, as of a picture's file

using Block = std::array<char, kBlock>;

std::string_view field(const Block& block, std::size_t first, std::size_t count) {
  const std::string_view all(block.data() + first, count);
  return all.substr(0, all.find('\0'));
}

/// Octal digits between spaces, or GNU's base-256 behind a set top bit; nothing if it is neither, or
/// negative.
std::optional<std::int64_t> number(const Block& block, std::size_t first, std::size_t count) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(block[first + i]); };
  if ((byte(0) & 0x80) != 0) {
    std::int64_t value = byte(0) & 0x7F;
    for (std::size_t i = 1; i < count; ++i) {
      if (value > (std::numeric_limits<std::int64_t>::max() >> 8)) return std::nullopt;
      value = value << 8 | byte(i);
    }
    return value;
  }
  std::string_view digits = field(block, first, count);
  while (digits.starts_with(' ')) digits.remove_prefix(1);
  while (digits.ends_with(' ')) digits.remove_suffix(1);
  if (digits.empty()) return 0;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && value >= 0 ? std::optional(value) : std::nullopt;
}

constexpr std::size_t kSum = 148;

/// The sum of all bytes, with spaces in place of the sum itself.
bool has_right_sum(const Block& block) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    sum += i >= kSum && i < kSum + 8 ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return number(block, kSum, 8) == sum;
}

bool has_magic(const Block& block) { return field(block, 257, 6).starts_with("ustar"); }

std::string name_in(const Block& block) {
  const std::string name(field(block, 0, 100));
  const bool is_posix = std::string_view(block.data() + 257, 6) == std::string_view("ustar\0", 6);
  const std::string_view prefix = is_posix ? field(block, 345, 155) : std::string_view();
  return prefix.empty() ? name : fmt::format("{}/{}", prefix, name);
}

/// What pax records say of the next member: "LENGTH KEY=VALUE\n", LENGTH of the whole record.
struct Extra {
  std::string name;
  std::optional<std::int64_t> bytes;
};

/// False if a record is none.
bool take_records(std::string_view records, Extra& extra) {
  while (!records.empty()) {
    std::size_t length = 0;
    const char* end = records.data() + records.size();
    const auto [space, error] = std::from_chars(records.data(), end, length);
    const auto digits = static_cast<std::size_t>(space - records.data());
    if (error != std::errc() || length > records.size() || length < digits + 3) return false;
    if (*space != ' ' || records[length - 1] != '\n') return false;
    const std::string_view record = records.substr(digits + 1, length - digits - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") extra.name = value;
    if (key == "size") {
      std::int64_t bytes = 0;
      const auto [last, wrong] = std::from_chars(value.data(), value.data() + value.size(), bytes);
      if (wrong != std::errc() || last != value.data() + value.size() || bytes < 0) return false;
      extra.bytes = bytes;
    }
    records.remove_prefix(length);
  }
  return true;
}

class Indexer {
 public:
  explicit Indexer(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    if (!file_) throw InputError(fmt::format("{}: cannot be opened", path));
    file_.seekg(0, std::ios::end);
    bytes_ = file_.tellg();
    file_.seekg(0);
  }

  TarIndex read() {
    while (at_ < bytes_ && index_.fault.empty() && next()) {
    }
    return std::move(index_);
  }

 private:
  /// False at the end of the archive.
  bool next() {
    Block block;
    if (bytes_ - at_ < kBlock || !file_.seekg(at_).read(block.data(), kBlock)) {
      return refuse("is cut off");
    }
    if (std::all_of(block.begin(), block.end(), [](char byte) { return byte == 0; })) return false;
    const std::optional<std::int64_t> said = number(block, 124, 12);
    if (!has_right_sum(block) || !said) return refuse("is no header of a tar archive");
    const char type = block[156];
    const bool is_extra = type == 'L' || type == 'K' || type == 'x' || type == 'g';
    const std::int64_t bytes = is_extra ? *said : extra_.bytes.value_or(*said);
    const std::string name = extra_.name.empty() ? name_in(block) : extra_.name;
    const std::int64_t offset = at_ + kBlock;
    if (bytes > bytes_ - offset) return refuse(fmt::format("({}) is cut off", name));
    if (is_extra) {
      if (!take_extra(type, offset, bytes)) return false;
    } else {
      extra_ = {};
      const bool is_file = type == '0' || type == '\0' || type == '7';
      if (is_file && !name.ends_with('/')) index_.members.push_back({name, offset, bytes});
      if (index_.members.size() > kMostMembers) return refuse("is one member too many");
    }
    at_ = offset + (bytes + kBlock - 1) / kBlock * kBlock;
    return true;
  }

  bool take_extra(char type, std::int64_t offset, std::int64_t bytes) {
    if (type == 'K' || type == 'g') return true;  // of links, and of all members
    if (bytes > kMostExtra) return refuse("has a name that is too long");
    std::string text(static_cast<std::size_t>(bytes), '\0');
    if (!file_.seekg(offset).read(text.data(), bytes)) return refuse("cannot be read");
    if (type == 'L') {
      extra_.name = text.substr(0, text.find('\0'));
    } else if (!take_records(text, extra_)) {
      return refuse("has records that are none of pax");
    }
    return true;
  }

  bool refuse(const std::string& what) {
    index_.fault = fmt::format("{}: what begins at byte {} {}; {} members are before it", path_,
                               at_, what, index_.members.size());
    return false;
  }

  const std::string& path_;
  std::ifstream file_;
  std::int64_t bytes_ = 0, at_ = 0;
  Extra extra_;
  TarIndex index_;
};

}  // namespace

bool is_tar(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Block block;
  return file.read(block.data(), kBlock) && has_magic(block) && has_right_sum(block);
}

TarIndex read_tar_index(const std::string& path) { return Indexer(path).read(); }

std::vector<std::uint8_t> read_tar_member(const std::string& path, const TarMember& member,
                                          std::int64_t most) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(0, std::ios::end);
  const std::int64_t there = file ? std::int64_t{file.tellg()} - member.offset : 0;
  if (there < member.bytes) {
    throw InputError(fmt::format("{}: {} is not there any more", path, member.name));
  }
  if (std::min(member.bytes, most) > kMostBytes) {
    throw InputError(fmt::format("{}: {} is larger than the limit of {} MiB", path, member.name,
                                 kMostBytes >> 20));
  }
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(std::min(member.bytes, most)));
  file.seekg(member.offset);
  if (!file.read(reinterpret_cast<char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()))) {
    throw InputError(fmt::format("{}: {} cannot be read", path, member.name));
  }
  return bytes;
}

}  // namespace mend
