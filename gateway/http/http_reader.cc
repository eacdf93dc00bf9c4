#include "gateway/http/http_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::http {
namespace {

using base::Reason;

constexpr absl::string_view kLineEnd = "\r\n";
constexpr size_t kMaxLengthDigits = 15;
constexpr size_t kMaxChunkLine = 256;
constexpr size_t kMaxChunkDigits = 8;

absl::Status Malformed(absl::string_view what) {
  return base::MakeError(Reason::kHttpMalformed, absl::StrCat("the request is malformed: ", what));
}

// RFC 9110, section 5.6.2.
bool IsTokenChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("!#$%&'*+-.^_`|~", c);
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar);
}

// Visible characters, spaces, tabs and bytes above 127 (obs-text).
bool IsFieldChar(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

absl::string_view Trim(absl::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

absl::Status HeadTooLarge(absl::string_view what, size_t limit) {
  return base::MakeError(Reason::kHttpHeadTooLarge,
                         absl::StrCat("the request has more than ", limit, " ", what),
                         {{"limit", absl::StrCat(limit)}});
}

absl::Status BodyTooLarge(size_t limit) {
  return base::MakeError(Reason::kTooLarge,
                         absl::StrCat("the body has more than ", limit,
                                      " bytes; send fewer events at once, or smaller ones"),
                         {{"limit", absl::StrCat(limit)}});
}

// "/events" of "/events?x", "http://host/events" and "*".
std::string PathOf(absl::string_view target) {
  for (const absl::string_view scheme : {"http://", "https://"}) {
    if (!absl::StartsWithIgnoreCase(target, scheme)) continue;
    const size_t slash = target.find('/', scheme.size());
    target = slash == absl::string_view::npos ? "/" : target.substr(slash);
    break;
  }
  return std::string(target.substr(0, target.find('?')));
}

}  // namespace

absl::string_view HttpHead::Find(absl::string_view name) const {
  absl::string_view found;
  size_t count = 0;
  for (const HttpField& field : fields) {
    if (field.name != name) continue;
    found = field.value;
    ++count;
  }
  return count == 1 ? found : absl::string_view();
}

size_t HttpHead::Count(absl::string_view name) const {
  return static_cast<size_t>(std::count_if(
      fields.begin(), fields.end(), [name](const HttpField& field) { return field.name == name; }));
}

absl::StatusOr<bool> HttpReader::FindHeadEnd(const std::string& buffer) {
  while (true) {
    const size_t end = buffer.find('\n', scanned_);
    const size_t seen = end == std::string::npos ? buffer.size() : end + 1;
    if (seen > limits_.max_head_bytes) return HeadTooLarge("bytes of head", limits_.max_head_bytes);
    if (end == std::string::npos) {
      scanned_ = buffer.size();
      return false;
    }
    if (end == 0 || buffer[end - 1] != '\r') return Malformed("a line does not end with CR LF");
    scanned_ = end + 1;
    if (end >= 3 && buffer[end - 2] == '\n') return true;
  }
}

// One empty line before a request is let pass (RFC 9112, section 2.2). False while it cannot be
// told whether there is one.
bool HttpReader::SkipEmptyLine(std::string* buffer) {
  if (begun_) return true;
  if (buffer->size() < kLineEnd.size() && absl::StartsWith(kLineEnd, *buffer)) return false;
  begun_ = true;
  if (absl::StartsWith(*buffer, kLineEnd)) buffer->erase(0, kLineEnd.size());
  return true;
}

absl::StatusOr<bool> HttpReader::ReadHead(std::string* buffer) {
  if (!SkipEmptyLine(buffer)) return false;
  CDGATE_ASSIGN_OR_RETURN(const bool complete, FindHeadEnd(*buffer));
  if (!complete) return false;
  CDGATE_RETURN_IF_ERROR(
      ParseHead(absl::string_view(*buffer).substr(0, scanned_ - 2 * kLineEnd.size())));
  CDGATE_RETURN_IF_ERROR(CheckFraming());
  buffer->erase(0, scanned_);
  return true;
}

absl::Status HttpReader::ParseHead(absl::string_view head) {
  bool first = true;
  for (const absl::string_view line : absl::StrSplit(head, kLineEnd)) {
    CDGATE_RETURN_IF_ERROR(first ? ParseRequestLine(line) : ParseField(line));
    first = false;
  }
  return absl::OkStatus();
}

absl::Status HttpReader::ParseRequestLine(absl::string_view line) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line, ' ');
  if (parts.size() != 3 || !IsToken(parts[0]) || parts[1].empty()) {
    return Malformed("its first line is not METHOD TARGET VERSION");
  }
  if (parts[1].size() > limits_.max_target_bytes) {
    return HeadTooLarge("bytes of target", limits_.max_target_bytes);
  }
  if (!std::all_of(parts[1].begin(), parts[1].end(), absl::ascii_isgraph)) {
    return Malformed("its target has characters that must be percent-encoded");
  }
  if (parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0") {
    return Malformed("its version is neither HTTP/1.1 nor HTTP/1.0");
  }
  head_.method = std::string(parts[0]);
  head_.path = PathOf(parts[1]);
  head_.minor_version = parts[2].back() - '0';
  return absl::OkStatus();
}

absl::Status HttpReader::ParseField(absl::string_view line) {
  if (head_.fields.size() == limits_.max_fields) {
    return HeadTooLarge("header fields", limits_.max_fields);
  }
  const size_t colon = line.find(':');
  const absl::string_view name = line.substr(0, colon);
  if (colon == absl::string_view::npos || !IsToken(name)) {
    return Malformed(absl::StrCat("a header field's name is \"", base::Shorten(name), "\""));
  }
  const absl::string_view value = Trim(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), IsFieldChar)) {
    return Malformed(
        absl::StrCat("header field ", base::Shorten(name), " has a control character"));
  }
  head_.fields.push_back({absl::AsciiStrToLower(name), std::string(value)});
  return absl::OkStatus();
}

absl::Status HttpReader::CheckFraming() {
  const bool http11 = head_.minor_version == 1;
  if (head_.Count("host") > 1 || (http11 && head_.Count("host") == 0)) {
    return Malformed("it needs exactly one Host");
  }
  CDGATE_RETURN_IF_ERROR(CheckCoding());
  CDGATE_RETURN_IF_ERROR(CheckLength());
  head_.keep_alive = http11;
  for (const HttpField& field : head_.fields) {
    if (field.name != "connection") continue;
    for (const absl::string_view option : absl::StrSplit(field.value, ',')) {
      if (absl::EqualsIgnoreCase(Trim(option), "close")) head_.keep_alive = false;
    }
  }
  if (head_.Count("expect") == 0) return absl::OkStatus();
  if (!absl::EqualsIgnoreCase(head_.Find("expect"), "100-continue")) {
    return Malformed("it expects something other than 100-continue");
  }
  head_.expects_continue = http11 && head_.has_body();
  return absl::OkStatus();
}

absl::Status HttpReader::CheckCoding() {
  if (head_.Count("transfer-encoding") == 0) return absl::OkStatus();
  if (!absl::EqualsIgnoreCase(head_.Find("transfer-encoding"), "chunked")) {
    return Malformed("its Transfer-Encoding is not chunked alone");
  }
  if (head_.minor_version == 0) return Malformed("HTTP/1.0 has no Transfer-Encoding");
  if (head_.Count("content-length") > 0) {
    return Malformed("it has both Transfer-Encoding and Content-Length");
  }
  head_.chunked = true;
  return absl::OkStatus();
}

absl::Status HttpReader::CheckLength() {
  if (head_.Count("content-length") == 0) return absl::OkStatus();
  const absl::string_view text = head_.Find("content-length");
  if (!IsDigits(text) || text.size() > kMaxLengthDigits ||
      !absl::SimpleAtoi(text, &head_.content_length)) {
    return Malformed("its Content-Length is not one number");
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HttpReader::ReadBody(std::string* buffer, size_t max_bytes) {
  if (head_.chunked) return ReadChunked(buffer, max_bytes);
  if (head_.content_length > max_bytes) return BodyTooLarge(max_bytes);
  const size_t wanted = static_cast<size_t>(head_.content_length) - body_.size();
  if (body_.empty() && buffer->size() == wanted) {
    body_ = std::move(*buffer);
    buffer->clear();
    return true;
  }
  const size_t taken = std::min(wanted, buffer->size());
  body_.append(*buffer, 0, taken);
  buffer->erase(0, taken);
  return taken == wanted;
}

absl::StatusOr<bool> HttpReader::ReadChunked(std::string* buffer, size_t max_bytes) {
  absl::string_view rest = *buffer;
  const auto complete = TakeChunks(&rest, max_bytes);
  // Once for all chunks: each would move what follows it.
  buffer->erase(0, buffer->size() - rest.size());
  return complete;
}

absl::StatusOr<bool> HttpReader::TakeChunks(absl::string_view* rest, size_t max_bytes) {
  while (true) {
    switch (chunk_) {
      case Chunk::kSize: {
        CDGATE_ASSIGN_OR_RETURN(const bool known, TakeChunkSize(rest, max_bytes));
        if (!known) return false;
        break;
      }
      case Chunk::kData: {
        const size_t taken = std::min<uint64_t>(chunk_left_, rest->size());
        absl::StrAppend(&body_, rest->substr(0, taken));
        rest->remove_prefix(taken);
        chunk_left_ -= taken;
        if (chunk_left_ > 0) return false;
        chunk_ = Chunk::kDataEnd;
        break;
      }
      case Chunk::kDataEnd:
      case Chunk::kEnd:
        if (rest->size() < kLineEnd.size()) return false;
        if (!absl::ConsumePrefix(rest, kLineEnd)) {
          return Malformed(chunk_ == Chunk::kEnd ? "trailer fields are not taken"
                                                 : "a chunk is longer than its size says");
        }
        if (chunk_ == Chunk::kEnd) return true;
        chunk_ = Chunk::kSize;
        break;
    }
  }
}

absl::StatusOr<bool> HttpReader::TakeChunkSize(absl::string_view* rest, size_t max_bytes) {
  const size_t end = rest->substr(0, kMaxChunkLine + 1).find('\n');
  if (end == absl::string_view::npos) {
    if (rest->size() > kMaxChunkLine) return Malformed("a chunk's size is too long");
    return false;
  }
  if (end == 0 || (*rest)[end - 1] != '\r') return Malformed("a chunk's size ends without CR LF");
  const absl::string_view line = rest->substr(0, end - 1);
  const auto stop = std::find_if_not(line.begin(), line.end(), absl::ascii_isxdigit);
  const absl::string_view digits = line.substr(0, static_cast<size_t>(stop - line.begin()));
  const bool ends = stop == line.end() || *stop == ';';
  if (!ends || digits.empty() || digits.size() > kMaxChunkDigits ||
      !std::all_of(line.begin(), line.end(), IsFieldChar) ||
      !absl::SimpleHexAtoi(digits, &chunk_left_)) {
    return Malformed("a chunk's size is not 1 to 8 hex digits");
  }
  if (chunk_left_ > max_bytes || body_.size() + chunk_left_ > max_bytes) {
    return BodyTooLarge(max_bytes);
  }
  rest->remove_prefix(end + 1);
  chunk_ = chunk_left_ == 0 ? Chunk::kEnd : Chunk::kData;
  return true;
}

void HttpReader::Reset() {
  head_ = HttpHead();
  begun_ = false;
  scanned_ = 0;
  body_.clear();
  chunk_ = Chunk::kSize;
  chunk_left_ = 0;
}

}  // namespace cdgate::http
