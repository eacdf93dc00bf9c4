// HTTP/1.1 requests (RFC 9112), read strictly: a request that two programs could read
// differently is refused, because one of them may be a proxy in front of us.
//
//   http::HttpReader reader;
//   buffer += bytes_from_the_client;
//   CDGATE_ASSIGN_OR_RETURN(bool have_head, reader.ReadHead(&buffer));
//   if (have_head) { ...look at reader.head()...
//     CDGATE_ASSIGN_OR_RETURN(bool complete, reader.ReadBody(&buffer, max_body_bytes)); }
//   ...answer..., reader.Reset();   // what is left in buffer is the next request
//
// Refused as HTTP_MALFORMED: line ends other than CRLF, white space around a field's name,
// folded lines, control characters, a Content-Length that is not one run of digits, or
// twice, or beside Transfer-Encoding, a coding other than chunked, either of them in a way
// that HTTP/1.0 does not know, no Host or two, chunk sizes with anything but hex digits
// before their end or a semicolon, trailer fields, versions other than 1.0 and 1.1. One empty line
// before a request is let pass, however the bytes are cut. Field values are kept as they came, byte
// for byte: whoever reads one decodes it, once.
//
// No I/O, no clock. After an error the connection can only be closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::http {

struct HttpField {
  std::string name;   // in lower case
  std::string value;  // without white space around it, otherwise verbatim
};

struct HttpHead {
  std::string method;  // "POST"
  std::string path;    // "/events": without scheme, authority and query
  int minor_version = 1;
  std::vector<HttpField> fields;  // in order

  // The field's value where it is there once; empty where it is not, or more than once.
  absl::string_view Find(absl::string_view name) const;
  size_t Count(absl::string_view name) const;

  // What the framing fields say, checked.
  bool chunked = false;
  uint64_t content_length = 0;  // 0 where there is none
  bool expects_continue = false;
  bool keep_alive = true;

  bool has_body() const { return chunked || content_length > 0; }
};

struct HttpLimits {
  size_t max_head_bytes = 32 << 10;
  size_t max_fields = 128;
  size_t max_target_bytes = 2 << 10;
};

// Not thread-safe.
class HttpReader {
 public:
  explicit HttpReader(HttpLimits limits = {}) : limits_(limits) {}

  // Takes the head off the front of `buffer`; false while it is not all there. Not to be
  // called again before Reset(). HTTP_MALFORMED, HTTP_HEAD_TOO_LARGE.
  absl::StatusOr<bool> ReadHead(std::string* buffer);
  const HttpHead& head() const { return head_; }

  // Moves what there is of the body out of `buffer`; true when body() is complete.
  // HTTP_MALFORMED, or TOO_LARGE as soon as more than `max_bytes` are announced or came.
  absl::StatusOr<bool> ReadBody(std::string* buffer, size_t max_bytes);
  const std::string& body() const { return body_; }
  std::string TakeBody() { return std::move(body_); }

  // For the next request of the connection.
  void Reset();

 private:
  enum class Chunk { kSize, kData, kDataEnd, kEnd };

  bool SkipEmptyLine(std::string* buffer);
  absl::StatusOr<bool> FindHeadEnd(const std::string& buffer);
  absl::Status ParseHead(absl::string_view head);
  absl::Status ParseRequestLine(absl::string_view line);
  absl::Status ParseField(absl::string_view line);
  absl::Status CheckFraming();
  absl::Status CheckLength();
  absl::Status CheckCoding();
  absl::StatusOr<bool> ReadChunked(std::string* buffer, size_t max_bytes);
  // These take what they read off the front of `rest`.
  absl::StatusOr<bool> TakeChunks(absl::string_view* rest, size_t max_bytes);
  absl::StatusOr<bool> TakeChunkSize(absl::string_view* rest, size_t max_bytes);

  const HttpLimits limits_;
  HttpHead head_;
  bool begun_ = false;  // the head: an empty line before it is no more let pass
  size_t scanned_ = 0;  // of the buffer, while the head's end is looked for
  std::string body_;
  Chunk chunk_ = Chunk::kSize;
  uint64_t chunk_left_ = 0;
};

}  // namespace cdgate::http
