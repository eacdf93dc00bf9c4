#include "gateway/base/formats.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "gateway/base/timestamp.h"

// The expressions of ajv-formats, read as a language. Of the part before '?' and '#', P
// being the characters of a path segment and U those of the userinfo:
//
//   "/"? "/" (U* "@")? (address | R*) (":" digits*)? ("/" P*)*     R: P without ':' and '@'
//   "/" (P+ ("/" P*)*)?
//   P+ ("/" P*)*
//
// Without brackets the three together are every text of P and '/', but the empty one: one
// that begins with "//" is of the first kind with one slash, no host, and a path. So only
// a text with brackets needs to be taken apart. In a reference '"' is of P and of R, in a
// URI it is not, and in U it never is.
namespace cdgate::base {
namespace {

enum : uint8_t {
  kPath = 1,    // a path: P and '/'
  kQuery = 2,   // a query or a fragment: P, '/' and '?'
  kUser = 4,    // userinfo, and what follows the version of an address of the future
  kScheme = 8,  // a scheme after its first letter
  kHex = 16,
  kDigit = 32,
  kLetter = 64,
  kQuote = 128,  // '"'
};

constexpr std::array<uint8_t, 256> MakeClasses() {
  std::array<uint8_t, 256> classes{};
  const auto add = [&classes](absl::string_view chars, int bits) {
    for (const char c : chars) classes[static_cast<unsigned char>(c)] |= bits;
  };
  constexpr int kAnywhere = kPath | kQuery | kUser;
  add("0123456789", kAnywhere | kScheme | kDigit | kHex);
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", kAnywhere | kScheme | kLetter);
  add("abcdefABCDEF", kHex);
  add("-._~!$&'()*+,;=:", kAnywhere);
  add("+-.", kScheme);
  add("@/", kPath | kQuery);
  add("?", kQuery);
  add("\"", kQuote);
  return classes;
}

constexpr std::array<uint8_t, 256> kClasses = MakeClasses();

bool Is(char c, int classes) { return (kClasses[static_cast<unsigned char>(c)] & classes) != 0; }

// A place in the text; every Take moves past what it takes, and nothing else.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  const char* at() const { return at_; }
  bool done() const { return at_ == end_; }
  bool Sees(char c) const { return at_ != end_ && *at_ == c; }

  bool Take(char c) {
    if (!Sees(c)) return false;
    ++at_;
    return true;
  }

  // Characters of `classes`; how many.
  size_t TakeAll(int classes, size_t most = SIZE_MAX) {
    size_t n = 0;
    for (; n < most && at_ != end_ && Is(*at_, classes); ++n) ++at_;
    return n;
  }

  // Characters of `classes` and escapes, %XX. At an escape that is none it stands still.
  void TakeEscaped(int classes) {
    for (;;) {
      while (at_ != end_ && Is(*at_, classes)) ++at_;
      if (end_ - at_ < 3 || *at_ != '%' || !Is(at_[1], kHex) || !Is(at_[2], kHex)) return;
      at_ += 3;
    }
  }

  // A scheme and its colon.
  bool TakeScheme() {
    const char* const start = at_;
    if (at_ != end_ && Is(*at_, kLetter)) {
      TakeAll(kScheme);
      if (Take(':')) return true;
    }
    at_ = start;
    return false;
  }

 private:
  const char* at_;
  const char* end_;
};

// Four numbers of one to three digits, which may begin with zeros.
bool TakeIpv4(Scanner* text) {
  for (int i = 0; i < 4; ++i) {
    if (i > 0 && !text->Take('.')) return false;
    const char* const digits = text->at();
    const size_t n = text->TakeAll(kDigit, 3);
    int value = 0;
    for (size_t d = 0; d < n; ++d) value = value * 10 + (digits[d] - '0');
    if (n == 0 || value > 255) return false;
  }
  return true;
}

// An IPv6 address up to its bracket (RFC 3986, section 3.2.2): eight groups of which an
// IPv4 address at the end is two, or at most seven with one "::".
bool TakeIpv6(Scanner* text) {
  int groups = 0;
  bool gap = false;
  bool open = true;  // another group may follow here
  while (!text->Sees(']')) {
    if (text->Take(':')) {
      // The second colon of a gap: the first stood behind a group, or is this.
      if (gap || (groups == 0 && !text->Take(':'))) return false;
      gap = open = true;
      continue;
    }
    const Scanner group = *text;
    const size_t digits = open && groups < 8 ? text->TakeAll(kHex, 4) : 0;
    if (digits == 0) return false;
    ++groups;
    if (text->Sees('.')) {
      *text = group;
      return TakeIpv4(text) && text->Sees(']') && (gap ? groups <= 6 : groups == 7);
    }
    open = text->Take(':');
    if (open && text->Sees(']')) return false;
  }
  return gap ? groups <= 7 : groups == 8;
}

// "v1.anything", up to its bracket.
bool TakeFutureAddress(Scanner* text) {
  return (text->Take('v') || text->Take('V')) && text->TakeAll(kHex) > 0 && text->Take('.') &&
         text->TakeAll(kUser) > 0;
}

// What has brackets: one or two slashes, perhaps userinfo, the address, perhaps a port and
// a path. Up to the query.
bool TakeBracketed(Scanner* text, int quote) {
  if (!text->Take('/')) return false;
  text->Take('/');
  if (!text->Sees('[')) {
    text->TakeEscaped(kUser);
    if (!text->Take('@')) return false;
  }
  if (!text->Take('[')) return false;
  if (!(text->Sees('v') || text->Sees('V') ? TakeFutureAddress(text) : TakeIpv6(text)) ||
      !text->Take(']')) {
    return false;
  }
  if (text->Take(':')) text->TakeAll(kDigit);
  if (text->Sees('/')) text->TakeEscaped(kPath | quote);
  return true;
}

// The part before the query and the fragment, after the scheme, if any. `quote` is kQuote
// where '"' is a character of paths.
bool TakeHierarchy(Scanner* text, int quote) {
  const Scanner start = *text;
  text->TakeEscaped(kPath | quote);
  if (!text->Sees('[')) return true;
  *text = start;
  return TakeBracketed(text, quote);
}

// Query and fragment, and nothing behind them.
bool TakeRest(Scanner* text, int quote) {
  if (text->Take('?')) text->TakeEscaped(kQuery | quote);
  if (text->Take('#')) text->TakeEscaped(kQuery | quote);
  return text->done();
}

}  // namespace

bool IsDateTime(absl::string_view text) { return ReadDateTime(text).has_value(); }

bool IsUri(absl::string_view text) {
  Scanner scanner(text);
  if (!scanner.TakeScheme()) return false;
  const char* const start = scanner.at();
  return TakeHierarchy(&scanner, 0) && scanner.at() != start && TakeRest(&scanner, 0);
}

bool IsUriReference(absl::string_view text) {
  Scanner scanner(text);
  scanner.TakeScheme();
  return TakeHierarchy(&scanner, kQuote) && TakeRest(&scanner, kQuote);
}

}  // namespace cdgate::base
