#include "weights/pickle.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <unordered_map>

#include "engine/error.h"

namespace mend::pickle {
namespace {

// A checkpoint of 5000 tensors has 0.5 MB of instructions and 60,000 values.
constexpr std::size_t kMostBytes = 32 << 20;
constexpr std::size_t kMostValues = 2'000'000;

// Opcodes, named as in pickletools.
// clang-format off
enum Op : std::uint8_t {
  kMark = '(', kStop = '.', kPop = '0', kPopMark = '1', kDup = '2', kFloat = 'F', kInt = 'I',
  kBinInt = 'J', kBinInt1 = 'K', kLong = 'L', kBinInt2 = 'M', kNone = 'N', kPersId = 'P',
  kBinPersId = 'Q', kReduce = 'R', kString = 'S', kBinString = 'T', kShortBinString = 'U',
  kUnicode = 'V', kBinUnicode = 'X', kAppend = 'a', kBuild = 'b', kGlobal = 'c', kDict = 'd',
  kEmptyDict = '}', kAppends = 'e', kGet = 'g', kBinGet = 'h', kInst = 'i', kLongBinGet = 'j',
  kList = 'l', kEmptyList = ']', kObj = 'o', kPut = 'p', kBinPut = 'q', kLongBinPut = 'r',
  kSetItem = 's', kTuple = 't', kEmptyTuple = ')', kSetItems = 'u', kBinFloat = 'G',
  kBinBytes = 'B', kShortBinBytes = 'C', kProto = 0x80, kNewObj = 0x81, kTuple1 = 0x85,
  kTuple2 = 0x86, kTuple3 = 0x87, kNewTrue = 0x88, kNewFalse = 0x89, kLong1 = 0x8A, kLong4 = 0x8B,
  kShortBinUnicode = 0x8C, kBinUnicode8 = 0x8D, kBinBytes8 = 0x8E, kEmptySet = 0x8F,
  kAddItems = 0x90, kFrozenSet = 0x91, kNewObjEx = 0x92, kStackGlobal = 0x93, kMemoize = 0x94,
  kFrame = 0x95, kByteArray8 = 0x96
};
// clang-format on

/// The stack machine.
class Machine {
 public:
  Machine(ByteReader& reader, Arena& arena, PickleHost& host)
      : reader_(reader), arena_(arena), host_(host), begin_(reader.position()) {}

  Value* run() {
    for (;;) {
      const auto op = reader_.read<std::uint8_t>("an instruction of the pickle");
      if (op == kStop) return pop();
      if (!(push_constant(op) || handle_stack(op) || handle_memo(op) || fill_container(op) ||
            handle_object(op))) {
        reader_.fail(fmt::format("unknown pickle instruction 0x{:02x}", op));
      }
      check_limits();
    }
  }

 private:
  void check_limits() const {
    if (reader_.position() - begin_ > kMostBytes || arena_.size() > kMostValues ||
        stack_.size() > kMostValues || marks_.size() > kMostValues || memo_.size() > kMostValues) {
      reader_.fail("the pickle is larger than any checkpoint needs");
    }
  }

  // --- the stack ---

  template <class T>
  void push(T data) {
    stack_.push_back(arena_.make(std::move(data)));
  }
  /// Values below the last mark are out of reach, as in Python.
  Value* pop() {
    Value* last = top();
    stack_.pop_back();
    return last;
  }
  Value* top() const {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) reader_.fail("the stack is empty");
    return stack_.back();
  }
  /// All values above the last mark, which is removed with them.
  Items pop_to_mark() {
    if (marks_.empty()) reader_.fail("the stack has no mark");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    Items items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }
  template <class T>
  T& expect(Value* value, std::string_view what) const {
    T* data = value->as<T>();
    if (data == nullptr) reader_.fail(fmt::format("{} was expected on the stack", what));
    return *data;
  }

  bool handle_stack(std::uint8_t op) {
    // clang-format off
    switch (op) {
      case kMark: marks_.push_back(stack_.size()); return true;
      case kPop:  // directly above a mark, POP removes the mark
        if (!marks_.empty() && marks_.back() == stack_.size()) marks_.pop_back();
        else pop();
        return true;
      case kPopMark: pop_to_mark(); return true;
      case kDup: stack_.push_back(top()); return true;
      case kProto:
        if (reader_.read<std::uint8_t>("the protocol") > 5) reader_.fail("unknown pickle protocol");
        return true;
      case kFrame: reader_.read<std::uint64_t>("a frame's length"); return true;
      default: return false;
    }
    // clang-format on
  }

  // --- numbers and text ---

  std::string text(std::uint64_t size) {
    if (size > kMostBytes) reader_.fail("a text in the pickle is too long");
    return std::string(reader_.text(size, "a text of the pickle"));
  }
  std::string line() {
    const std::string_view found = reader_.line("the pickle");
    if (found.size() > kMostBytes) reader_.fail("a line of the pickle is too long");
    return std::string(found);
  }

  std::int64_t integer_of(std::string_view digits) const {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      reader_.fail("a number of the pickle is not a 64-bit integer");
    }
    return value;
  }

  /// Decimal digits with an optional L at the end.
  void push_long(std::string digits) {
    if (digits.ends_with('L')) digits.pop_back();
    const bool only_digits = digits.find_first_not_of("0123456789") == std::string::npos;
    if (only_digits && digits.size() > 19) {  // INT64_MAX has 19
      push(LongInteger{digits});
    } else {
      push(integer_of(digits));
    }
  }

  /// Two's complement, little-endian.
  void push_long_bytes(std::uint64_t size) {
    const std::string bytes = text(size);
    if (size > 8) {
      std::string digits = "0x";
      for (std::size_t i = bytes.size(); i-- > 0;) {
        digits += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
      }
      push(LongInteger{digits});
      return;
    }
    std::uint64_t value = !bytes.empty() && (bytes.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    push(static_cast<std::int64_t>(value));
  }

  double big_endian_double() {
    const auto bits = reader_.read<std::uint64_t>("a float");
    return std::bit_cast<double>(__builtin_bswap64(bits));
  }

  /// STRING holds a Python literal. Names in checkpoints need no escapes, so none are undone.
  std::string unquoted(std::string literal) const {
    const bool quoted = literal.size() >= 2 &&
                        (literal.front() == '\'' || literal.front() == '"') &&
                        literal.back() == literal.front();
    if (!quoted) reader_.fail("a string of the pickle is not quoted");
    return literal.substr(1, literal.size() - 2);
  }

  bool push_constant(std::uint8_t op) {
    // clang-format off
    switch (op) {
      case kNone: push(None{}); return true;
      case kNewTrue: push(true); return true;
      case kNewFalse: push(false); return true;
      case kInt: {
        const std::string digits = line();
        if (digits == "00" || digits == "01") push(digits == "01");
        else push_long(digits);
        return true;
      }
      case kBinInt: push(std::int64_t{reader_.read<std::int32_t>("an integer")}); return true;
      case kBinInt1: push(std::int64_t{reader_.read<std::uint8_t>("an integer")}); return true;
      case kBinInt2: push(std::int64_t{reader_.read<std::uint16_t>("an integer")}); return true;
      case kLong: push_long(line()); return true;
      case kLong1: push_long_bytes(reader_.read<std::uint8_t>("a length")); return true;
      case kLong4: push_long_bytes(reader_.read<std::uint32_t>("a length")); return true;
      case kFloat: push(std::strtod(line().c_str(), nullptr)); return true;
      case kBinFloat: push(big_endian_double()); return true;
      case kString: push(unquoted(line())); return true;
      case kUnicode: push(line()); return true;
      case kShortBinString:
      case kShortBinUnicode:
      case kShortBinBytes: push(text(reader_.read<std::uint8_t>("a length"))); return true;
      case kBinString:
      case kBinUnicode:
      case kBinBytes: push(text(reader_.read<std::uint32_t>("a length"))); return true;
      case kBinUnicode8:
      case kBinBytes8:
      case kByteArray8: push(text(reader_.read<std::uint64_t>("a length"))); return true;
      default: return false;
    }
    // clang-format on
  }

  // --- the memo: values that are used again ---

  void put(std::uint64_t index) { memo_[index] = top(); }
  void get(std::uint64_t index) {
    const auto entry = memo_.find(index);
    if (entry == memo_.end()) reader_.fail(fmt::format("the memo has no value {}", index));
    stack_.push_back(entry->second);
  }

  bool handle_memo(std::uint8_t op) {
    // clang-format off
    switch (op) {
      case kPut: put(static_cast<std::uint64_t>(integer_of(line()))); return true;
      case kBinPut: put(reader_.read<std::uint8_t>("a memo index")); return true;
      case kLongBinPut: put(reader_.read<std::uint32_t>("a memo index")); return true;
      case kMemoize: put(memo_.size()); return true;
      case kGet: get(static_cast<std::uint64_t>(integer_of(line()))); return true;
      case kBinGet: get(reader_.read<std::uint8_t>("a memo index")); return true;
      case kLongBinGet: get(reader_.read<std::uint32_t>("a memo index")); return true;
      default: return false;
    }
    // clang-format on
  }

  // --- containers ---

  Items pop_items(std::size_t count) {
    Items items(count);
    while (count > 0) items[--count] = pop();
    return items;
  }

  void append(const Items& items) {
    Value* target = top();
    List* list = target->as<List>();
    Record* record = target->as<Record>();
    if (list == nullptr && record == nullptr) reader_.fail("items are appended to no list");
    Items& into = list != nullptr ? list->items : record->items;
    into.insert(into.end(), items.begin(), items.end());
  }

  Entries pairs(const Items& items) const {
    if (items.size() % 2 != 0) reader_.fail("a dictionary has a key without a value");
    Entries entries;
    for (std::size_t i = 0; i < items.size(); i += 2) entries.emplace_back(items[i], items[i + 1]);
    return entries;
  }

  void set(const Items& items) {
    Value* target = top();
    Dict* dict = target->as<Dict>();
    Record* record = target->as<Record>();
    if (dict == nullptr && record == nullptr) reader_.fail("a key is set in no dictionary");
    Entries& into = dict != nullptr ? dict->entries : record->entries;
    const Entries added = pairs(items);
    into.insert(into.end(), added.begin(), added.end());
  }

  bool fill_container(std::uint8_t op) {
    // clang-format off
    switch (op) {
      case kEmptyTuple: push(Tuple{}); return true;
      case kTuple1: push(Tuple{pop_items(1)}); return true;
      case kTuple2: push(Tuple{pop_items(2)}); return true;
      case kTuple3: push(Tuple{pop_items(3)}); return true;
      case kTuple: push(Tuple{pop_to_mark()}); return true;
      case kEmptyList:
      case kEmptySet: push(List{}); return true;
      case kList:
      case kFrozenSet: push(List{pop_to_mark()}); return true;
      case kAppend: append(pop_items(1)); return true;
      case kAppends:
      case kAddItems: append(pop_to_mark()); return true;
      case kEmptyDict: push(Dict{}); return true;
      case kDict: push(Dict{pairs(pop_to_mark())}); return true;
      case kSetItem: set(pop_items(2)); return true;
      case kSetItems: set(pop_to_mark()); return true;
      default: return false;
    }
    // clang-format on
  }

  // --- names, calls and objects: nothing is looked up, nothing is executed ---

  void call(const std::string& callable, const Items& arguments) {
    stack_.push_back(host_.call(arena_, callable, arguments));
  }

  /// What a call is about to be made of. Only names can be called.
  const std::string& callable(Value* value) const {
    return expect<Global>(value, "the name of a function or class").name;
  }

  void build() {
    Value* state = pop();
    if (Record* record = top()->as<Record>()) record->state = state;
    // Other values are complete without their attributes (an OrderedDict's `_metadata`).
  }

  bool handle_object(std::uint8_t op) {
    // clang-format off
    switch (op) {
      case kGlobal: {
        const std::string module = line();
        push(Global{module + "." + line()});
        return true;
      }
      case kStackGlobal: {
        const std::string name = expect<std::string>(pop(), "a name");
        push(Global{expect<std::string>(pop(), "a module") + "." + name});
        return true;
      }
      case kReduce: {
        const Items arguments = expect<Tuple>(pop(), "a tuple of arguments").items;
        call(callable(pop()), arguments);
        return true;
      }
      case kNewObjEx: pop(); [[fallthrough]];  // the keyword arguments are dropped
      case kNewObj: {  // an object, but its constructor is not called
        const Items arguments = expect<Tuple>(pop(), "a tuple of arguments").items;
        push(Record{
            .class_name = callable(pop()), .arguments = arguments, .items = {}, .entries = {}});
        return true;
      }
      case kInst: {
        const std::string module = line(), name = line();
        call(module + "." + name, pop_to_mark());
        return true;
      }
      case kObj: {
        Items items = pop_to_mark();
        if (items.empty()) reader_.fail("an object has no class");
        const std::string name = callable(items.front());
        items.erase(items.begin());
        call(name, items);
        return true;
      }
      case kBuild: build(); return true;
      case kPersId: push(line()); [[fallthrough]];
      case kBinPersId: stack_.push_back(host_.persistent(arena_, pop())); return true;
      default: return false;
    }
    // clang-format on
  }

  ByteReader& reader_;
  Arena& arena_;
  PickleHost& host_;
  std::size_t begin_;
  Items stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint64_t, Value*> memo_;
};

}  // namespace

Value* load(ByteReader& reader, Arena& arena, PickleHost& host) {
  return Machine(reader, arena, host).run();
}

}  // namespace mend::pickle
