#include "train/picture_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

#include "engine/error.h"
#include "restore/imresize.h"

namespace mend {
namespace {

namespace fs = std::filesystem;

/// The files of a folder and its folders, or the file itself, sorted.
std::vector<std::string> files_of(const std::string& place) {
  std::error_code error;
  if (fs::is_regular_file(place, error)) return {place};
  if (!fs::is_directory(place, error)) {
    throw InputError(fmt::format("{}: no such file or folder of training pictures", place));
  }
  std::vector<std::string> files;
  const auto options = fs::directory_options::skip_permission_denied;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(place, options)) {
    if (entry.is_regular_file(error)) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Each pixel the mean of factor x factor; what is left over at the right and bottom is dropped.
Image averaged(const Image& image, int factor) {
  if (factor == 1) return image;
  Image small = make_image(image.width / factor, image.height / factor, image.channels, 8);
  const int channels = image.channels, count = factor * factor;
  for (int y = 0; y < small.height; ++y)
    for (int x = 0; x < small.width; ++x)
      for (int c = 0; c < channels; ++c) {
        int sum = count / 2;
        for (int i = 0; i < count; ++i) {
          sum += image.row(y * factor + i / factor)[(x * factor + i % factor) * channels + c];
        }
        small.row(y)[x * channels + c] = static_cast<std::uint8_t>(sum / count);
      }
  return small;
}

/// What `pixels` become when the longer side becomes `side`.
int shrunk(int pixels, int longer, int side) {
  return std::max(1, static_cast<int>((std::int64_t{2} * pixels * side + longer) / (2 * longer)));
}

/// Bicubic and antialiased, as sharp as the test sets' pictures, which were made small too. Far larger
/// ones are averaged to twice the size before: the filter's cost goes with its reach.
Image shrunk(const Image& image, int side) {
  const int longer = std::max(image.width, image.height);
  if (longer == side) return image;
  return imresize(averaged(image, std::max(1, longer / (2 * side))),
                  shrunk(image.height, longer, side), shrunk(image.width, longer, side));
}

/// 8-bit RGB without alpha.
Image as_rgb(const Image& image) {
  const Image plain = with_bits(image.has_alpha() ? without_alpha(image) : image, 8);
  if (plain.channels == 3) return plain;
  Image rgb = make_image(plain.width, plain.height, 3, 8);
  for (int y = 0; y < plain.height; ++y)
    for (int x = 0; x < plain.width; ++x) std::fill_n(rgb.row(y) + 3 * x, 3, plain.row(y)[x]);
  return rgb;
}

}  // namespace

PictureSet::PictureSet(const std::vector<std::string>& places, PictureSetOptions options)
    : options_(std::move(options)) {
  for (const std::string& place : places) {
    for (const std::string& path : files_of(place)) {
      is_tar(path) ? add_archive(path) : add(path, std::nullopt);
    }
  }
  if (files_.empty()) {
    throw InputError(fmt::format("{}: no picture to train on in {}",
                                 places.empty() ? "training" : places.front(),
                                 places.size() > 1 ? "these folders" : "there"));
  }
  unreadable_.resize(files_.size());
}

void PictureSet::tell(const std::string& text) const {
  if (options_.note) options_.note(text);
}

void PictureSet::add_archive(const std::string& path) {
  const TarIndex index = read_tar_index(path);
  for (const TarMember& member : index.members) add(path, member);
  if (!index.fault.empty()) tell(fmt::format("left out: {}", index.fault));
}

void PictureSet::add(const std::string& path, const std::optional<TarMember>& member) {
  File file{path, member, 0};
  try {
    const ImageInfo info =
        member ? probe_image(read_tar_member(path, *member, kHeaderBytes), file.name())
               : probe_image(path);
    const int longer = std::max(info.width, info.height);
    std::set<int, std::greater<>> sides;  // the largest first
    for (const int largest : options_.largest_sides) {
      sides.insert(largest > 0 ? std::min(longer, largest) : longer);
    }
    for (const int side : sides) {
      file.longer_side = side;
      add(file, shrunk(info.width, longer, side), shrunk(info.height, longer, side));
    }
  } catch (const InputError& error) {
    tell(fmt::format("left out: {}", error.what()));
  }
}

void PictureSet::add(File file, int width, int height) {
  if (std::min(width, height) < std::max(1, options_.smallest_side)) {
    return tell(fmt::format("{}: left out, {}x{} is smaller than a patch of {}", file.name(), width,
                            height, options_.smallest_side));
  }
  files_.push_back(std::move(file));
}

std::shared_ptr<const Image> PictureSet::decode(const File& file) const {
  const Image image = file.member
                          ? decode_image(read_tar_member(file.path, *file.member), file.name())
                          : read_image(file.path);
  return std::make_shared<const Image>(shrunk(as_rgb(image), file.longer_side));
}

std::shared_ptr<const Image> PictureSet::picture(int i) {
  const File& file = files_[static_cast<std::size_t>(i)];
  {
    const std::lock_guard lock(mutex_);
    if (unreadable_[static_cast<std::size_t>(i)]) return nullptr;
    const auto found = std::find_if(cache_.begin(), cache_.end(),
                                    [&](const Decoded& entry) { return entry.index == i; });
    if (found != cache_.end()) {
      cache_.splice(cache_.begin(), cache_, found);
      return found->image;
    }
  }
  std::shared_ptr<const Image> image;
  std::string fault;
  try {
    image = decode(file);
  } catch (const InputError& error) {
    fault = error.what();
  }
  const std::lock_guard lock(mutex_);
  if (!image) {
    if (!unreadable_[static_cast<std::size_t>(i)]) tell(fmt::format("left out: {}", fault));
    unreadable_[static_cast<std::size_t>(i)] = true;
    return nullptr;
  }
  cache_.push_front({i, image});
  cached_bytes_ += static_cast<std::int64_t>(image->bytes.size());
  while (cached_bytes_ > options_.cache_bytes && cache_.size() > 1) {
    cached_bytes_ -= static_cast<std::int64_t>(cache_.back().image->bytes.size());
    cache_.pop_back();
  }
  return image;
}

std::shared_ptr<const Image> PictureSet::draw(RandomStream& random) {
  constexpr int kMostTries = 100;
  for (int attempt = 0; attempt < kMostTries; ++attempt) {
    const auto index = random.below(size());
    if (std::shared_ptr<const Image> image = picture(index)) return image;
  }
  throw InputError(
      fmt::format("{}: {} pictures in a row cannot be decoded", files_.front().path, kMostTries));
}

}  // namespace mend
