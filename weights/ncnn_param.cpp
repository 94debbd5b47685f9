// The text of a .param file.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "engine/error.h"
#include "weights/ncnn.h"

namespace mend {
namespace {

constexpr std::string_view kMagic = "7767517";
constexpr std::string_view kSpace = " \t\r";
// The file writes the list of parameter `id` as parameter -23300 - id.
constexpr int kListBase = -23300;

/// Cuts a text into lines and words, and knows where it is.
class ParamReader {
 public:
  ParamReader(std::string_view text, const std::string& source) : text_(text), source_(source) {}

  /// Moves to the next line; false at the end of the text.
  bool next_line() {
    if (text_.empty()) return false;
    const std::size_t end = text_.find('\n');
    line_ = text_.substr(0, end);
    text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
    ++number_;
    return true;
  }
  /// The next word of the line; empty at its end.
  std::string_view next_word() {
    line_.remove_prefix(std::min(line_.find_first_not_of(kSpace), line_.size()));
    const std::string_view word = line_.substr(0, line_.find_first_of(kSpace));
    line_.remove_prefix(word.size());
    return word;
  }
  std::string_view word(std::string_view what) {
    const std::string_view found = next_word();
    if (found.empty()) fail(fmt::format("{} is missing", what));
    return found;
  }

  template <class T>
  T number(std::string_view digits, std::string_view what) const {
    T value = 0;
    const char* end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, value);
    if (result.ec != std::errc() || result.ptr != end) fail(fmt::format("{} is no number", what));
    return value;
  }
  /// A number of things: not negative, and no more than the text has bytes.
  int count(std::string_view what) {
    const int value = number<int>(word(what), what);
    if (value < 0 || static_cast<std::size_t>(value) > text_.size() + line_.size() + 1) {
      fail(fmt::format("{} {} is impossible", what, value));
    }
    return value;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw CheckpointError(fmt::format("{}: line {}: {}", source_, number_, what));
  }

 private:
  std::string_view text_, line_;
  const std::string& source_;
  int number_ = 0;
};

/// "0=64" or "-23310=1,0.1".
void parse_param(ParamReader& reader, std::string_view word, NcnnLayer& layer) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) reader.fail(fmt::format("{} is not id=value", word));
  int id = reader.number<int>(word.substr(0, equals), "a parameter's id");
  std::string_view rest = word.substr(equals + 1);
  std::vector<double> values;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    values.push_back(reader.number<double>(rest.substr(0, comma), "a parameter"));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  const bool list = id <= kListBase;
  if (list) {
    id = kListBase - id;
    if (values.empty() || values.front() != static_cast<double>(values.size() - 1)) {
      reader.fail(fmt::format("the list {} does not have as many values as it says", word));
    }
    values.erase(values.begin());
  } else if (values.size() != 1) {
    reader.fail(fmt::format("parameter {} has {} values", word, values.size()));
  }
  layer.params[id] = std::move(values);
}

NcnnLayer parse_layer(ParamReader& reader) {
  NcnnLayer layer;
  layer.type = reader.word("a layer's type");
  layer.name = reader.word("a layer's name");
  const int inputs = reader.count("the number of inputs");
  const int outputs = reader.count("the number of outputs");
  for (int i = 0; i < inputs; ++i) layer.inputs.emplace_back(reader.word("an input"));
  for (int i = 0; i < outputs; ++i) layer.outputs.emplace_back(reader.word("an output"));
  for (std::string_view word = reader.next_word(); !word.empty(); word = reader.next_word()) {
    parse_param(reader, word, layer);
  }
  return layer;
}

}  // namespace

double NcnnLayer::number(int id, double otherwise) const {
  const auto entry = params.find(id);
  return entry == params.end() || entry->second.empty() ? otherwise : entry->second.front();
}

int NcnnLayer::integer(int id, int otherwise) const {
  const double value = number(id, otherwise);
  if (value != std::floor(value) || std::abs(value) > 2147483647.0) {
    throw CheckpointError(
        fmt::format("layer {}: parameter {} must be an integer, but is {}", name, id, value));
  }
  return static_cast<int>(value);
}

bool looks_like_ncnn_param(std::string_view text) {
  return text.starts_with(kMagic) && text.size() > kMagic.size() &&
         (text[kMagic.size()] == '\n' || text[kMagic.size()] == '\r');
}

NcnnGraph parse_ncnn_param(std::string_view text, const std::string& source) {
  ParamReader reader(text, source);
  if (!reader.next_line() || reader.next_word() != kMagic) reader.fail("7767517 was expected");
  if (!reader.next_line()) reader.fail("truncated: the number of layers is missing");
  const int layers = reader.count("the number of layers");
  reader.count("the number of blobs");

  NcnnGraph graph;
  for (int i = 0; i < layers; ++i) {
    if (!reader.next_line())
      reader.fail(fmt::format("truncated: layer {} of {} is missing", i, layers));
    graph.layers.push_back(parse_layer(reader));
  }
  while (reader.next_line()) {
    if (!reader.next_word().empty()) reader.fail("a line follows the last layer");
  }
  return graph;
}

}  // namespace mend
