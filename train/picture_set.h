// The good pictures that training cuts its patches from.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "restore/image_file.h"
#include "train/random.h"
#include "train/tar.h"

namespace mend {

struct PictureSetOptions {
  /// Larger pictures are shrunk until their longer side is this: noise and blur of cameras shrink with
  /// them. 0: never.
  /// Several sizes: each picture once for each, and details of every size among the patches.
  std::vector<int> largest_sides = {0};
  int smallest_side = 0;  ///< pictures with a shorter side, after that, are left out
  std::int64_t cache_bytes = std::int64_t{1} << 30;  ///< of decoded pictures
  NoteCallback note = {};  ///< is told what is left out, and why; may be empty
};

/// All pictures in files and folders (and their folders), in the order of their names, and in tar archives
/// among them, in the order that they have there ("photos.tar: lake.png"). Decodes them when
/// they are asked for and keeps as many as the cache allows. What is drawn does not depend on the cache,
/// nor on the order of the calls. May be used by several threads.
class PictureSet {
 public:
  /// Reads headers alone. Throws InputError if a place does not exist or no picture is left.
  PictureSet(const std::vector<std::string>& places, PictureSetOptions options);

  int size() const { return static_cast<int>(files_.size()); }
  std::string path(int i) const { return files_[static_cast<std::size_t>(i)].name(); }
  /// Picture i of size(), 8-bit RGB; null if it cannot be decoded: the note says so, once.
  std::shared_ptr<const Image> picture(int i);
  /// A picture that can be decoded, each with the same chance (and each of its sizes). Throws InputError
  /// if 100 in a row cannot.
  std::shared_ptr<const Image> draw(RandomStream& random);

 private:
  struct File {
    std::string path;
    std::optional<TarMember> member;  // of the archive at `path`
    int longer_side;                  // shrunk
    std::string name() const { return member ? path + ": " + member->name : path; }
  };
  struct Decoded {
    int index;
    std::shared_ptr<const Image> image;
  };

  void add_archive(const std::string& path);
  void add(const std::string& path, const std::optional<TarMember>& member);
  void add(File file, int width, int height);
  std::shared_ptr<const Image> decode(const File& file) const;
  void tell(const std::string& text) const;

  PictureSetOptions options_;
  std::vector<File> files_;
  std::mutex mutex_;
  std::list<Decoded> cache_;  // the last used first
  std::int64_t cached_bytes_ = 0;
  std::vector<bool> unreadable_;
};

}  // namespace mend
