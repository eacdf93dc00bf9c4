#include "tests/support/random_json.h"

#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cdgate::test {
namespace {

constexpr absl::string_view kWords[] = {"build",
                                        "Ledger 2",
                                        "a/b",
                                        "x:y",
                                        "\u00fcber",
                                        "e\u0301",
                                        "\u00e9",
                                        "\u4f60\u597d",
                                        "\u0645\u0631\u062d\u0628\u0627",
                                        "\U0001f600",
                                        "\U0001f469\u200d\U0001f680",
                                        "\u2028",
                                        "\"",
                                        "\\",
                                        "\\u0041",
                                        "</script>",
                                        "%41",
                                        "{}",
                                        "null",
                                        " ",
                                        "\u00a0",
                                        "\ufeff",
                                        "\U0010fffd",
                                        "\u200b",
                                        "0",
                                        "'"};
constexpr absl::string_view kControls[] = {
    absl::string_view("\0", 1), "\n", "\t", "\r", "\b", "\f", "\x1f", "\x7f"};

std::string Digits(Random& random, size_t count) {
  std::string digits(1, static_cast<char>('1' + random.Below(9)));
  while (digits.size() < count) digits += static_cast<char>('0' + random.Below(10));
  return digits;
}

// One way of several to print.
class Printer {
 public:
  explicit Printer(Random& random)
      : random_(random),
        spaced_(random.OneIn(3)),
        shuffled_(random.OneIn(2)),
        escaped_(random.OneIn(3)) {}

  void Print(const JsonTree& tree);
  std::string Take() { return std::move(out_); }

 private:
  void PrintObject(const JsonTree& tree);
  void PrintText(absl::string_view text);
  void PrintCharacter(absl::string_view character);
  void PrintEscape(uint32_t unit);
  void Space() {
    if (!spaced_ || !random_.OneIn(2)) return;
    absl::StrAppend(&out_, random_.Pick({" ", "\n", "\t", "\r\n", "\n    "}));
  }
  // Separates from the element before.
  void Comma(bool first) {
    if (!first) out_.push_back(',');
    Space();
  }

  Random& random_;
  const bool spaced_, shuffled_, escaped_;
  std::string out_;
};

void Printer::Print(const JsonTree& tree) {
  Space();
  switch (tree.kind) {
    case JsonTree::Kind::kRaw: out_ += tree.text; break;
    case JsonTree::Kind::kText: PrintText(tree.text); break;
    case JsonTree::Kind::kObject: PrintObject(tree); break;
    case JsonTree::Kind::kArray:
      out_.push_back('[');
      for (size_t i = 0; i < tree.items.size(); ++i) {
        Comma(i == 0);
        Print(tree.items[i]);
      }
      out_.push_back(']');
  }
  Space();
}

void Printer::PrintObject(const JsonTree& tree) {
  std::vector<size_t> order(tree.members.size());
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); shuffled_ && i > 1; --i) {
    std::swap(order[i - 1], order[random_.Below(i)]);
  }
  out_.push_back('{');
  for (size_t i = 0; i < order.size(); ++i) {
    Comma(i == 0);
    PrintText(tree.members[order[i]].first);
    Space();
    out_.push_back(':');
    Print(tree.members[order[i]].second);
  }
  Space();
  out_.push_back('}');
}

size_t CharacterBytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

uint32_t CodePoint(absl::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0);
  uint32_t point = byte(0) & (0x7f >> character.size());
  for (size_t i = 1; i < character.size(); ++i) point = point << 6 | (byte(i) & 0x3f);
  return point;
}

void Printer::PrintText(absl::string_view text) {
  out_.push_back('"');
  while (!text.empty()) {
    const size_t bytes = CharacterBytes(text.front());
    PrintCharacter(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  out_.push_back('"');
}

void Printer::PrintCharacter(absl::string_view character) {
  const uint32_t point = CodePoint(character);
  const bool must = point < 0x20 || point == '"' || point == '\\';
  if (!must && !(escaped_ && random_.OneIn(4))) {
    out_ += std::string(character);
    return;
  }
  static constexpr absl::string_view kShort = "\"\\/\b\f\n\r\t", kLetters = "\"\\/bfnrt";
  const size_t at = character.size() == 1 ? kShort.find(character[0]) : absl::string_view::npos;
  if (at != absl::string_view::npos && !random_.OneIn(4)) {
    out_ += {'\\', kLetters[at]};
  } else if (point < 0x10000) {
    PrintEscape(point);
  } else {
    PrintEscape(0xd800 + ((point - 0x10000) >> 10));
    PrintEscape(0xdc00 + ((point - 0x10000) & 0x3ff));
  }
}

void Printer::PrintEscape(uint32_t unit) {
  out_ += random_.OneIn(2) ? absl::StrFormat("\\u%04x", unit) : absl::StrFormat("\\u%04X", unit);
}

}  // namespace

std::string RandomText(Random& random, bool controls) {
  std::string text;
  for (size_t i = random.Below(random.OneIn(8) ? 20 : 4); i > 0; --i) {
    const bool control = controls && random.OneIn(6);
    absl::StrAppend(&text, control ? kControls[random.Below(std::size(kControls))]
                                   : kWords[random.Below(std::size(kWords))]);
  }
  return text;
}

std::string RandomNumber(Random& random) {
  switch (random.Below(6)) {
    case 0:
      return random.Pick({"0", "-0", "1.0", "1", "-0.0", "10e-1", "1e400", "-1E+400", "0e0",
                          "9007199254740993", "18446744073709551616", "-9223372036854775809",
                          "1e-400", "0.1", "1.50"});
    case 1: return Digits(random, random.From(1, 18));
    case 2: return absl::StrCat("-", Digits(random, random.From(1, 60)));
    case 3: return Digits(random, random.From(19, 60));
    case 4:
      return absl::StrCat(Digits(random, random.From(1, 25)), ".",
                          Digits(random, random.From(1, 25)), random.OneIn(2) ? "0" : "");
    default:
      return absl::StrCat(Digits(random, random.From(1, 5)), random.OneIn(2) ? ".5" : "",
                          random.Pick({"e", "E", "e+", "e-", "E-"}), random.Below(500));
  }
}

JsonTree RandomJson(Random& random, int depth) {
  switch (random.Below(depth > 0 ? 6 : 4)) {
    case 0: return JsonTree::Raw(random.Pick({"true", "false", "null"}));
    case 1:
    case 2: return JsonTree::Raw(RandomNumber(random));
    case 3: return JsonTree::Text(RandomText(random, true));
    case 4: return RandomJsonObject(random, depth - 1);
    default: break;
  }
  JsonTree array = JsonTree::Array();
  for (size_t i = random.Below(5); i > 0; --i) array.items.push_back(RandomJson(random, depth - 1));
  return array;
}

JsonTree RandomJsonObject(Random& random, int depth) {
  JsonTree object = JsonTree::Object();
  for (size_t i = random.Below(5); i > 0; --i) {
    // Set() replaces where the name is there already. No known name begins with a digit.
    std::string name =
        random.OneIn(20) ? "" : absl::StrCat(random.Below(10), RandomText(random, true));
    object.Set(name, RandomJson(random, depth));
  }
  return object;
}

std::string PrintJson(const JsonTree& tree, Random& random) {
  Printer printer(random);
  printer.Print(tree);
  return printer.Take();
}

}  // namespace cdgate::test
