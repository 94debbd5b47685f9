#include "train/tar.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "engine/error.h"
#include "restore/image_file.h"
#include "tests/support/paths.h"
#include "train/picture_set.h"

namespace mend::test {
namespace {

namespace fs = std::filesystem;

/// Writes `sum` where a header has it.
void seal(std::string& header) {
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  char text[9];
  std::snprintf(text, sizeof text, "%06o", sum);
  header.replace(148, 7, text, 7);
}

std::string header_of(const std::string& name, std::uint64_t bytes, char type = '0') {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  char octal[13];
  std::snprintf(octal, sizeof octal, "%011llo", static_cast<unsigned long long>(bytes));
  header.replace(124, 11, octal, 11);
  header[156] = type;
  header.replace(257, 8,
                 std::string("ustar\0"
                             "00",
                             8));
  seal(header);
  return header;
}

std::string padded(std::string text) {
  text.resize((text.size() + 511) / 512 * 512, '\0');
  return text;
}

std::string member(const std::string& name, const std::string& text, char type = '0') {
  return header_of(name, text.size(), type) + padded(text);
}

struct Archive {
  explicit Archive(const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
  TarIndex index() const { return read_tar_index(path); }
  TemporaryFolder folder;
  std::string path = folder / "a.tar";
};

const std::string kEnd(1024, '\0');

std::string text_of(const std::string& path, const TarMember& one) {
  const std::vector<std::uint8_t> bytes = read_tar_member(path, one);
  return {bytes.begin(), bytes.end()};
}

std::string picture(int width, int height, int step) {
  Image image = make_image(width, height, 3, 8);
  for (std::size_t i = 0; i < image.bytes.size(); ++i) {
    image.bytes[i] = static_cast<std::uint8_t>(i * static_cast<std::size_t>(step) / 7);
  }
  const std::vector<std::uint8_t> bytes = encode_image(image, ImageFormat::kPng);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("tar: files are found, and what is none is passed over") {
  const Archive archive(member("one.txt", "first") + member("folder/", "", '5') +
                        member("link", "", '2') + member("folder/two.txt", std::string(700, 'x')) +
                        member("empty", "") + kEnd + "rubbish behind the end");
  CHECK(is_tar(archive.path));
  const TarIndex index = archive.index();
  CHECK(index.fault.empty());
  REQUIRE(index.members.size() == 3);
  CHECK(index.members[0].name == "one.txt");
  CHECK(text_of(archive.path, index.members[0]) == "first");
  CHECK(index.members[1].name == "folder/two.txt");
  CHECK(text_of(archive.path, index.members[1]) == std::string(700, 'x'));
  CHECK(read_tar_member(archive.path, index.members[1], 10).size() == 10);
  CHECK(index.members[2].bytes == 0);
}

TEST_CASE("tar: long names and sizes of ustar, GNU and pax") {
  const std::string longer(300, 'n');
  std::string prefixed = header_of("name.png", 3);
  prefixed.replace(345, 6, "folder");
  seal(prefixed);
  std::string base256 = header_of("big", 3);
  base256.replace(124, 12, std::string("\x80\0\0\0\0\0\0\0\0\0\0\x03", 12));
  seal(base256);
  const Archive archive(prefixed + padded("abc") + member("././@LongLink", longer + '\0', 'L') +
                        member("cut short", "def") +
                        member("PaxHeaders/x", "18 path=\xC3\xA9t\xC3\xA9.png\n10 size=4\n", 'x') +
                        member("other", "ghij") + base256 + padded("klm") + kEnd);
  const TarIndex index = archive.index();
  CHECK(index.fault.empty());
  REQUIRE(index.members.size() == 4);
  CHECK(index.members[0].name == "folder/name.png");
  CHECK(index.members[1].name == longer);
  CHECK(index.members[2].name == "\xC3\xA9t\xC3\xA9.png");
  CHECK(index.members[2].bytes == 4);
  CHECK(text_of(archive.path, index.members[3]) == "klm");
}

TEST_CASE("tar: what GNU tar writes, in each of its formats") {
  if (std::system("tar --version > /dev/null 2>&1") != 0) {
    std::printf("skipped: tar is missing\n");
    return;
  }
  const TemporaryFolder folder;
  const std::string name = std::string(90, 'd') + "/" + std::string(90, 'f');
  fs::create_directories(folder / ("in/" + std::string(90, 'd')));
  std::ofstream(folder / ("in/" + name)) << "found";
  for (const char* format : {"gnu", "oldgnu", "pax", "ustar"}) {
    CAPTURE(format);
    const std::string path = folder / (std::string(format) + ".tar");
    const std::string command =
        "tar --format=" + std::string(format) + " -C " + (folder / "in") + " -cf " + path + " .";
    REQUIRE(std::system(command.c_str()) == 0);
    const TarIndex index = read_tar_index(path);
    CHECK(index.fault.empty());
    REQUIRE(index.members.size() == 1);
    CHECK(index.members[0].name == "./" + name);
    CHECK(text_of(path, index.members[0]) == "found");
  }
}

TEST_CASE("tar: damaged archives give what lies before the damage, and say where it is") {
  const std::string good = member("good", "12345");
  const auto fault_behind_good = [&](const std::string& bytes) {
    const Archive archive(good + bytes);
    const TarIndex index = archive.index();
    REQUIRE(index.members.size() == 1);
    CHECK(index.fault.find("a.tar: what begins at byte 1024") != std::string::npos);
    return index.fault;
  };
  const auto with_size = [](const std::string& field) {
    std::string header = header_of("bad", 0);
    header.replace(124, 12, field);
    seal(header);
    return header;
  };
  CHECK(fault_behind_good(std::string(512, 'x')).find("is no header") != std::string::npos);
  CHECK(fault_behind_good("short").find("is cut off") != std::string::npos);
  CHECK(fault_behind_good(header_of("bad", 1 << 20)).find("(bad) is cut off") != std::string::npos);
  CHECK(fault_behind_good(with_size("777777777777")).find("cut off") != std::string::npos);
  CHECK(fault_behind_good(with_size("12x456789012")).find("no header") != std::string::npos);
  CHECK(fault_behind_good(with_size("-00000000001")).find("no header") != std::string::npos);
  // 2^63 and more, and −1.
  CHECK(fault_behind_good(with_size(std::string("\x80\0\0\0\x80\0\0\0\0\0\0\0", 12)))
            .find("no header") != std::string::npos);
  CHECK(fault_behind_good(with_size(std::string(12, '\xFF'))).find("no header") !=
        std::string::npos);
  CHECK(fault_behind_good(with_size(std::string("\x80\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12)))
            .find("cut off") != std::string::npos);

  const auto pax_fault = [&](const std::string& records) {
    const Archive archive(good + member("pax", records, 'x') + member("next", "1"));
    return archive.index().fault;
  };
  for (const char* records : {"5 a=b", "99 path=a\n", "0 path=a\n", "12345", "6 size\n",
                              "11 size=-1\n", "99999999999999999999 path=a\n", "-8 path=a\n"}) {
    CAPTURE(records);
    CHECK(pax_fault(records).find("records that are none of pax") != std::string::npos);
  }
  CHECK(pax_fault("28 size=9223372036854775807\n").find("is cut off") != std::string::npos);
  const Archive large(good + member("long", std::string(70'000, 'n'), 'L'));
  CHECK(large.index().fault.find("a name that is too long") != std::string::npos);
  CHECK_THROWS_AS(read_tar_index(large.path + "2"), InputError);
  CHECK_THROWS_AS(read_tar_member(large.path, {"gone", 1 << 20, 5}), InputError);
}

TEST_CASE("tar: every single byte of a header may be wrong") {
  const std::string good = member("good", "12345") + member("second", "6") + kEnd;
  for (std::size_t i = 0; i < 512; ++i) {
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x41);
    const Archive archive(bytes);
    const TarIndex index = archive.index();
    CAPTURE(i);
    // In the sum's own last byte it may be a space as well.
    CHECK((index.members.empty() || i == 155));
    CHECK((!index.fault.empty() || i == 155));
  }
}

TEST_CASE("training pictures: those of tar archives, the bad ones named") {
  const TemporaryFolder folder;
  const std::string broken = picture(64, 64, 5).substr(0, 60);
  std::ofstream(folder / "photos.tar", std::ios::binary)
      << member("a.png", picture(70, 60, 3)) << member("notes.txt", "no picture")
      << member("cut.png", broken) << member("in/b.png", picture(64, 80, 9)) << "the end is lost";
  std::vector<std::string> notes;
  PictureSetOptions options;
  options.note = [&](const std::string& note) { notes.push_back(note); };
  PictureSet pictures({folder / "photos.tar"}, options);
  REQUIRE(pictures.size() == 3);
  CHECK(pictures.path(0) == (folder / "photos.tar") + ": a.png");
  const std::shared_ptr<const Image> first = pictures.picture(0), last = pictures.picture(2);
  REQUIRE(first);
  REQUIRE(last);
  CHECK(first->width == 70);
  CHECK(last->height == 80);
  CHECK_FALSE(pictures.picture(1));
  REQUIRE(notes.size() == 3);
  CHECK(notes[0].find("photos.tar: notes.txt") != std::string::npos);
  CHECK(notes[1].find("is cut off") != std::string::npos);
  CHECK(notes[2].find("photos.tar: cut.png") != std::string::npos);
  // The same pixels as from a file.
  std::ofstream(folder / "b.png", std::ios::binary) << picture(64, 80, 9);
  CHECK(read_image(folder / "b.png").bytes == last->bytes);
}

}  // namespace mend::test
