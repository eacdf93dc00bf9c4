// Our formats and those of ajv agree on texts of every kind: made by the grammar, then
// changed in one place or two.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "gateway/base/formats.h"
#include "gateway/base/timestamp.h"
#include "tests/conformance/ajv_oracle.h"
#include "tests/support/status_matchers.h"

namespace cdgate::event {
namespace {

using Texts = std::vector<std::string>;

// Makes texts; the same ones in every run.
class Maker {
 public:
  bool Chance(int percent) { return Below(100) < percent; }
  int Below(int n) { return static_cast<int>(rng_() % n); }
  const std::string& OneOf(const Texts& texts) { return texts[Below(texts.size())]; }

  std::string Repeat(const Texts& texts, int most) {
    std::string all;
    for (int n = Below(most + 1); n > 0; --n) all += OneOf(texts);
    return all;
  }

  // With one change or two in two fifths of them: a character more, less, or another one.
  std::string Changed(const std::string& text) {
    Texts characters = Split(text);
    const int kind = Below(5);
    for (int n = kind < 3 ? 0 : kind - 2; n > 0; --n) Change(&characters);
    return absl::StrJoin(characters, "");
  }

 private:
  static Texts Split(const std::string& text) {
    Texts characters;
    for (const char c : text) {
      if ((c & 0xc0) == 0x80) {
        characters.back() += c;
      } else {
        characters.emplace_back(1, c);
      }
    }
    return characters;
  }

  void Change(Texts* characters) {
    // The long s and the Kelvin sign are letters of ASCII without regard to case, in some
    // languages.
    static const Texts kOdd = {
        "\u017f", "\u212a", "\u2028", "\u00a0",     "\ufeff", "\u180e",
        "\u200b", "\u0661", "\u00e9", "\U0001f680", "\u0085", std::string(1, '\0'),
        "%",      "%4",     "%4g",    "%aF",        "[",      "]",
        "::",     "//",     "T"};
    const std::string with =
        Chance(60) ? std::string(1, static_cast<char>(' ' + Below(96))) : OneOf(kOdd);
    const int at = Below(static_cast<int>(characters->size()) + 1);
    const auto place = characters->begin() + at;
    if (place == characters->end() || Chance(35)) {
      characters->insert(place, with);
    } else if (Chance(50)) {
      characters->erase(place);
    } else {
      *place = with;
    }
  }

  std::mt19937 rng_{20260702};
};

// A timestamp; in half of them the time is near the end of a day in UTC, where leap
// seconds are.
std::string MakeDateTime(Maker* make) {
  static const Texts kYears = {"0000", "0001", "1900", "2000", "2024", "2025", "9999"};
  static const Texts kBetween = {"T",      "T",      "T",      "t",      " ",
                                 "\t",     "\n",     "\v",     "\f",     "\r",
                                 "\u00a0", "\u1680", "\u2000", "\u200a", "\u2028",
                                 "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"};
  static const Texts kFractions = {"",
                                   "",
                                   ".5",
                                   ".123456789123",
                                   ".0",
                                   ".999999999999996",
                                   ".9999999999999964472863211994990706443786621093749",
                                   ".999999999999996447286321199499070644378662109375",
                                   ".99999999999999644728632119949907064437866210937500",
                                   ".9999999999999964472863211994990706443786621093751",
                                   ".9999999999999999",
                                   ".9999999999999",
                                   "."};
  const std::string date = absl::StrFormat(
      "%s-%02d-%02d", make->OneOf(kYears), make->Chance(90) ? 1 + make->Below(12) : make->Below(14),
      make->Chance(90) ? 1 + make->Below(28) : make->Below(33));
  const int sign = make->Chance(50) ? 1 : -1;
  const int offset_hour = make->Chance(95) ? make->Below(24) : make->Below(100);
  const int offset_minute =
      make->Chance(90) ? make->Below(3) * 30 + make->Below(2) : make->Below(100);
  int hour = make->Chance(90) ? make->Below(24) : make->Below(48);
  int minute = make->Chance(95) ? make->Below(60) : make->Below(100);
  if (make->Chance(50)) {
    const int local =
        23 * 60 + 59 + sign * (offset_hour * 60 + offset_minute) - 1440 * make->Below(2);
    hour = std::clamp(local / 60, 0, 99);
    minute = std::clamp(local % 60, 0, 59);
    if (make->Chance(20) && hour > 0 && minute < 40) --hour, minute += 60;
  }
  const int second = make->Chance(50) ? 58 + make->Below(4) : make->Below(60);
  const std::string colon = make->Chance(70) ? ":" : "";
  std::string zone = absl::StrFormat("%c%02d", sign > 0 ? '+' : '-', offset_hour);
  if (make->Chance(85)) absl::StrAppendFormat(&zone, "%s%02d", colon, offset_minute);
  if (make->Chance(15)) zone = make->OneOf({"Z", "z", "Z", "z", ""});
  return absl::StrFormat("%s%s%02d:%02d:%02d%s%s", date, make->OneOf(kBetween), hour, minute,
                         second, make->OneOf(kFractions), zone);
}

std::string MakeIpv4(Maker* make) {
  static const Texts kNumbers = {"0",  "1",   "9",   "10",  "01",  "001",
                                 "99", "199", "249", "255", "256", "300"};
  Texts numbers;
  for (int n = make->Chance(95) ? 4 : 3; n > 0; --n) numbers.push_back(make->OneOf(kNumbers));
  return absl::StrJoin(numbers, ".");
}

std::string MakeIpv6(Maker* make) {
  static const Texts kGroups = {"0", "1", "f", "Ab", "123", "ffff", "dead"};
  const bool gap = make->Chance(70);
  const int count = make->Chance(20) ? make->Below(10) : gap ? make->Below(8) : 8;
  const int gap_at = make->Below(count + 1);
  std::string text;
  for (int i = 0; i <= count; ++i) {
    if (gap && i == gap_at) text += "::";
    if (i == count) break;
    if (!text.empty() && text.back() != ':') text += ":";
    if (i >= count - 2 && make->Chance(15)) return text + MakeIpv4(make);
    text += make->OneOf(kGroups);
  }
  return text;
}

const Texts& PathCharacters() {
  static const Texts kCharacters = {"a", "Z", "7", "-", ".", "_", "~", "!", "$",   "&",   "'", "(",
                                    ")", "*", "+", ",", ";", "=", ":", "@", "%2F", "%c3", "/", "/"};
  return kCharacters;
}

std::string MakeHost(Maker* make) {
  static const Texts kName = {"a", "B", "0", "-", ".", "_", "~", "!", "'", ";", "=", "%41"};
  static const Texts kFuture = {"a", "Z", "9", "-", ".", ":", "$", "~", "%41"};
  switch (make->Below(4)) {
    case 0: return make->Repeat(kName, 8);
    case 1: return MakeIpv4(make);
    case 2: return absl::StrCat("[", MakeIpv6(make), "]");
    default:
      return absl::StrCat("[", make->OneOf({"v", "V"}), make->OneOf({"1", "fE", ""}), ".",
                          make->Repeat(kFuture, 5), "]");
  }
}

std::string MakeUri(Maker* make) {
  static const Texts kSchemes = {"https", "a", "A+b-c.9", "pkg", "urn", "tag", "ni", "1a", "a_b"};
  static const Texts kUser = {"a", "9", "-", ":", "%40", "!", ";", "\""};
  std::string text = make->Chance(85) ? make->OneOf(kSchemes) + ":" : "";
  if (make->Chance(70)) {
    text += make->OneOf({"//", "//", "//", "/", "///", ""});
    if (make->Chance(30)) absl::StrAppend(&text, make->Repeat(kUser, 4), "@");
    text += MakeHost(make);
    if (make->Chance(30)) absl::StrAppend(&text, ":", make->OneOf({"", "80", "123456", "8a"}));
    if (make->Chance(50)) text += "/";
  }
  if (make->Chance(60)) text += make->Repeat(PathCharacters(), 12);
  if (make->Chance(6)) text += "\"";
  if (make->Chance(25))
    absl::StrAppend(&text, "?", make->Repeat(PathCharacters(), 6), make->OneOf({"", "?"}));
  if (make->Chance(25))
    absl::StrAppend(&text, "#", make->Repeat(PathCharacters(), 6), make->OneOf({"", "?", "#"}));
  return text;
}

std::vector<test::FormatQuestion> MakeQuestions() {
  Maker make;
  std::vector<test::FormatQuestion> questions;
  for (int i = 0; i < 80'000; ++i) {
    questions.push_back({"date-time", make.Changed(MakeDateTime(&make))});
  }
  for (int i = 0; i < 70'000; ++i) {
    const std::string text = make.Changed(MakeUri(&make));
    questions.push_back({"uri", text});
    questions.push_back({"uri-reference", text});
  }
  return questions;
}

bool Accepts(const test::FormatQuestion& question) {
  if (question.format == "uri") return base::IsUri(question.text);
  if (question.format == "uri-reference") return base::IsUriReference(question.text);
  return base::IsDateTime(question.text);
}

TEST(AjvFormatsTest, AgreesOnTextsOfEveryKind) {
  const std::vector<test::FormatQuestion> questions = MakeQuestions();
  const auto verdicts = test::AskAjvFormats(questions);
  if (absl::IsUnavailable(verdicts.status())) GTEST_SKIP() << verdicts.status().message();
  CDGATE_ASSERT_OK(verdicts);
  std::map<std::string, int> accepted;
  int wrong = 0;
  for (size_t i = 0; i < questions.size() && wrong < 20; ++i) {
    if ((*verdicts)[i]) ++accepted[questions[i].format];
    if (Accepts(questions[i]) == (*verdicts)[i]) continue;
    ADD_FAILURE() << questions[i].format << (*verdicts)[i]
                  << " by ajv: " << absl::CHexEscape(questions[i].text);
    ++wrong;
  }
  // Both verdicts are common, else this says little.
  EXPECT_THAT(accepted["date-time"], testing::AllOf(testing::Gt(16'000), testing::Lt(60'000)));
  EXPECT_THAT(accepted["uri"], testing::AllOf(testing::Gt(15'000), testing::Lt(55'000)));
  EXPECT_THAT(accepted["uri-reference"], testing::AllOf(testing::Gt(15'000), testing::Lt(55'000)));
}

}  // namespace
}  // namespace cdgate::event
