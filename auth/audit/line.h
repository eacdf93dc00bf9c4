// One line of the audit log: an entry as a JSON object whose last member is the SHA-256 of
// every byte before it, and whose third member is that of the entry before.
//
//   {"number":17,"time":"2026-11-27T22:15:01.120000000Z","previous":"<64 hex>","kind":"act",
//    …members of the kind…,"hash":"<64 hex>"}
//
// without the line break and the space, and one line feed at its end. docs/audit.md is the
// description for auditors. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::audit {

// Kinds of entries.
inline constexpr char kAct[] = "act";                // a call that administers the gateway
inline constexpr char kRefusal[] = "refusal";        // a call, request or handshake, refused
inline constexpr char kSummary[] = "summary";        // refusals beyond the rate, counted
inline constexpr char kChange[] = "change";          // of a resource, not by a recorded call
inline constexpr char kIdentity[] = "identity";      // the gateway's own certificate
inline constexpr char kGateway[] = "gateway";        // started, stopped
inline constexpr char kLog[] = "log";                // of the audit log itself
inline constexpr char kRemoved[] = "removed";        // a file, by retention
inline constexpr char kCheckpoint[] = "checkpoint";  // signed
// All of them.
inline constexpr const char* kKinds[] = {kAct,     kRefusal, kSummary, kChange,    kIdentity,
                                         kGateway, kLog,     kRemoved, kCheckpoint};

// No line is longer; what an entry quotes is cut long before.
inline constexpr size_t kMaxLineBytes = 256 << 10;
// What the first entry has for the one before it: 64 zeros.
std::string NoHash();

// Members of a JSON object, in order. Texts are made UTF-8; an empty one is left out.
//
//   Members members;
//   members.Text("who", principal.id).Number("commit", 42);
class Members {
 public:
  Members& Text(absl::string_view key, absl::string_view value);
  Members& Number(absl::string_view key, uint64_t value);
  // As a JSON object; left out where it has no member.
  Members& Object(absl::string_view key, const Members& members);
  // `json` is a JSON value.
  Members& Json(absl::string_view key, absl::string_view json);
  // As a JSON list of texts, or of objects.
  Members& Texts(absl::string_view key, const std::vector<std::string>& values);
  Members& Objects(absl::string_view key, const std::vector<Members>& values);

  bool empty() const { return text_.empty(); }
  // "\"who\":\"…\",\"commit\":42"
  const std::string& text() const { return text_; }

 private:
  void Key(absl::string_view key);
  std::string text_;
};

// What is to be recorded, before it has a place in the log.
struct Record {
  std::string kind;
  Members members = {};
  // Where set: when it happened; otherwise when it is written.
  absl::Time time = absl::InfinitePast();
};

// "2026-11-27T22:15:01.120000000Z": always so long, so that texts compare as times do.
std::string TimeText(absl::Time time);

// The line up to its hash, and the whole line without its line feed.
std::string Unsealed(uint64_t number, absl::Time time, absl::string_view previous,
                     absl::string_view kind, absl::string_view members);
std::string Seal(std::string unsealed);

// What the chain needs of a line. Views into it.
struct Line {
  uint64_t number = 0;
  absl::string_view time;
  absl::string_view previous;
  absl::string_view kind;
  absl::string_view hash;
  absl::string_view unsealed;  // what the hash is of
};

// Reads a line without its line feed. AUDIT_DAMAGED where it is no entry, or its hash is not
// that of its bytes: the message says which; metadata "number" where it could be read.
absl::StatusOr<Line> ReadLine(absl::string_view text);

// The value of a text member of an entry that this library wrote, as it stands there (escapes
// and all); empty where there is none.
absl::string_view TextMember(absl::string_view line, absl::string_view key);
// The same of a number; 0.
uint64_t NumberMember(absl::string_view line, absl::string_view key);

}  // namespace cdgate::audit
