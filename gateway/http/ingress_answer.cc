#include "gateway/http/ingress_answer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "gateway/base/encoding.h"
#include "gateway/cdevents/faults.h"

namespace cdgate::http {
namespace {

using base::Reason;

constexpr size_t kMaxDetailedBytes = 256 << 10;  // of problems in one answer
constexpr size_t kMaxNameBytes = 1 << 10;
constexpr size_t kMaxBriefIdBytes = 256;
constexpr absl::string_view kProblemType = "application/problem+json";
// Identifies the kind of problem; docs/errors.md says the same in words.
constexpr absl::string_view kTypePrefix = "https://cdgate.dev/errors#";

absl::string_view PhraseOf(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
  }
}

int StatusOfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange: return 422;
    case absl::StatusCode::kUnauthenticated: return 401;
    case absl::StatusCode::kPermissionDenied: return 403;
    case absl::StatusCode::kNotFound: return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted: return 409;
    case absl::StatusCode::kResourceExhausted: return 429;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled: return 503;
    default: return 500;
  }
}

Reason ReasonFor(const absl::Status& status) {
  return base::ReasonOf(status).value_or(Reason::kInternal);
}

// The faults that an error carries, as a member. Empty where it has none.
std::string FaultsJson(const absl::Status& status) {
  const std::vector<cdevents::Fault> faults = cdevents::FaultsOf(status);
  if (faults.empty()) return "";
  const auto fault = [](std::string* out, const cdevents::Fault& one) {
    absl::StrAppend(out, "{\"path\":", JsonQuote(one.path), ",\"rule\":", JsonQuote(one.rule),
                    ",\"value\":", JsonQuote(one.value), "}");
  };
  return absl::StrCat(",\"faults\":[", absl::StrJoin(faults, ",", fault), "]");
}

// The members of a problem, without the braces.
std::string ProblemMembers(const absl::Status& status) {
  const Reason reason = ReasonFor(status);
  return absl::StrCat("\"type\":", JsonQuote(absl::StrCat(kTypePrefix, base::ReasonLabel(reason))),
                      ",\"title\":", JsonQuote(base::InfoOf(reason).meaning),
                      ",\"status\":", StatusOf(reason), ",\"detail\":", JsonQuote(status.message()),
                      ",\"reason\":", JsonQuote(base::ReasonText(reason)), FaultsJson(status));
}

// What names an event that was refused, and may be of any length.
std::string Named(const std::string& text) {
  return text.size() <= kMaxNameBytes ? text : base::Shorten(text, kMaxNameBytes);
}

std::string NameMembers(const IngressEvent& event) {
  std::string out;
  if (!event.id.empty()) absl::StrAppend(&out, ",\"id\":", JsonQuote(Named(event.id)));
  if (!event.source.empty()) absl::StrAppend(&out, ",\"source\":", JsonQuote(Named(event.source)));
  return out;
}

// What is said of an event that was refused once much has been said.
std::string BriefProblem(const IngressEvent& event, const absl::Status& status) {
  const Reason reason = ReasonFor(status);
  return absl::StrCat("{\"status\":", StatusOf(reason),
                      ",\"reason\":", JsonQuote(base::ReasonText(reason)),
                      ",\"detail\":", JsonQuote(base::Shorten(status.message())),
                      ",\"id\":", JsonQuote(base::Shorten(event.id, kMaxBriefIdBytes)), "}");
}

std::string ResultJson(const IngressEvent& event, const admission::Result& result) {
  return absl::StrCat("{\"id\":", JsonQuote(event.id), ",\"source\":", JsonQuote(event.source),
                      ",\"sequence\":", result.sequence.value(),
                      ",\"duplicate\":", result.duplicate ? "true" : "false", "}");
}

void AddFields(const absl::Status& status, HttpAnswer* answer) {
  if (answer->status == 401) {
    answer->fields.emplace_back("WWW-Authenticate", "Bearer realm=\"cdgate\"");
  }
  if (answer->status == 429) {
    const absl::Duration wait = base::RetryAfterOf(status).value_or(absl::Seconds(1));
    answer->fields.emplace_back(
        "Retry-After", absl::StrCat(absl::ToInt64Seconds(absl::Ceil(wait, absl::Seconds(1)))));
  }
  if (answer->status == 503) {
    const bool disk = ReasonFor(status) == Reason::kDiskFull;
    answer->fields.emplace_back("Retry-After", disk ? "60" : "5");
  }
  if (answer->status == 405) answer->fields.emplace_back("Allow", "POST, OPTIONS");
}

HttpAnswer Problem(int code, std::string body, const absl::Status& status) {
  HttpAnswer answer;
  answer.status = code;
  answer.fields.emplace_back("Content-Type", kProblemType);
  answer.body = std::move(body);
  AddFields(status, &answer);
  return answer;
}

// What became of each event, in one list.
struct Outcome {
  const IngressEvent* event;
  admission::Result result;
};

std::vector<Outcome> Merge(const IngressEvents& events,
                           const std::vector<admission::Result>& results) {
  std::vector<Outcome> out;
  out.reserve(events.events.size());
  size_t next = 0;
  for (const IngressEvent& event : events.events) {
    Outcome outcome{&event, {}};
    outcome.result.status = event.status;
    if (event.status.ok()) outcome.result = results[next++];
    out.push_back(std::move(outcome));
  }
  return out;
}

HttpAnswer BatchProblem(const std::vector<Outcome>& outcomes, const base::Epoch& epoch) {
  std::vector<std::string> members;
  size_t said = 0;
  const absl::Status* worst = nullptr;
  size_t refused = 0;
  for (const Outcome& outcome : outcomes) {
    const absl::Status& status = outcome.result.status;
    if (status.ok()) {
      members.push_back(ResultJson(*outcome.event, outcome.result));
      continue;
    }
    ++refused;
    members.push_back(said < kMaxDetailedBytes ? absl::StrCat("{", ProblemMembers(status),
                                                              NameMembers(*outcome.event), "}")
                                               : BriefProblem(*outcome.event, status));
    said += members.back().size();
    if (worst == nullptr || StatusOf(ReasonFor(status)) > StatusOf(ReasonFor(*worst))) {
      worst = &status;
    }
  }
  const int code = StatusOf(ReasonFor(*worst));
  const Reason reason = ReasonFor(*worst);
  std::string body = absl::StrCat(
      "{\"type\":", JsonQuote(absl::StrCat(kTypePrefix, base::ReasonLabel(reason))),
      ",\"title\":\"Some events of the batch were refused.\",\"status\":", code, ",\"detail\":\"",
      refused, " of ", outcomes.size(),
      " events were refused; the others are on disk. results says which.\",\"reason\":",
      JsonQuote(base::ReasonText(reason)), ",\"results\":[", absl::StrJoin(members, ","),
      "],\"epoch\":", JsonQuote(epoch.value()), "}\n");
  return Problem(code, std::move(body), *worst);
}

// RFC 9110, section 5.6.7: IMF-fixdate.
std::string HttpDate(absl::Time time) {
  return absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", time, absl::UTCTimeZone());
}

void AppendEscaped(unsigned char c, std::string* out) {
  switch (c) {
    case '"': out->append("\\\""); break;
    case '\\': out->append("\\\\"); break;
    case '\n': out->append("\\n"); break;
    default: absl::StrAppendFormat(out, "\\u%04x", c);
  }
}

// Bytes of the character at the front of `text`; 0 where it is not UTF-8.
size_t CharacterSize(absl::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (size > text.size() || !simdjson::validate_utf8(text.data(), size)) return 0;
  return size;
}

}  // namespace

int StatusOf(base::Reason reason) {
  switch (reason) {
    case Reason::kInvalidJson:
    case Reason::kAmbiguousJson:
    case Reason::kInvalidCloudEvent:
    case Reason::kHttpMalformed: return 400;
    case Reason::kDeadlineExceeded: return 408;
    case Reason::kTooLarge: return 413;
    case Reason::kMediaTypeUnsupported: return 415;
    case Reason::kHttpHeadTooLarge: return 431;
    case Reason::kHttpMethodRefused: return 405;
    case Reason::kDiskFull: return 503;
    default: return StatusOfCode(base::InfoOf(reason).code);
  }
}

HttpAnswer ProblemAnswer(const absl::Status& status) {
  return Problem(StatusOf(ReasonFor(status)), absl::StrCat("{", ProblemMembers(status), "}\n"),
                 status);
}

HttpAnswer ResultsAnswer(const IngressEvents& events, const std::vector<admission::Result>& results,
                         const base::Epoch& epoch) {
  const std::vector<Outcome> outcomes = Merge(events, results);
  const bool all = std::all_of(outcomes.begin(), outcomes.end(),
                               [](const Outcome& outcome) { return outcome.result.status.ok(); });
  if (!all && events.mode == IngressMode::kBatch) return BatchProblem(outcomes, epoch);
  if (!all) {
    const absl::Status& status = outcomes.front().result.status;
    return Problem(
        StatusOf(ReasonFor(status)),
        absl::StrCat("{", ProblemMembers(status), NameMembers(*outcomes.front().event), "}\n"),
        status);
  }
  std::vector<std::string> members;
  members.reserve(outcomes.size());
  for (const Outcome& outcome : outcomes) {
    members.push_back(ResultJson(*outcome.event, outcome.result));
  }
  HttpAnswer answer;
  answer.status = 202;
  answer.fields.emplace_back("Content-Type", "application/json");
  answer.body = absl::StrCat("{\"results\":[", absl::StrJoin(members, ","),
                             "],\"epoch\":", JsonQuote(epoch.value()), "}\n");
  return answer;
}

std::string Serialise(const HttpAnswer& answer, absl::Time now, bool head_only) {
  std::string out = absl::StrCat("HTTP/1.1 ", answer.status, " ", PhraseOf(answer.status),
                                 "\r\nDate: ", HttpDate(now), "\r\n");
  for (const auto& [name, value] : answer.fields) {
    absl::StrAppend(&out, name, ": ", value, "\r\n");
  }
  // RFC 9110, section 8.6: 204 has none.
  if (answer.status != 204) {
    absl::StrAppend(&out, "Content-Length: ", answer.body.size(), "\r\n");
  }
  if (answer.close) absl::StrAppend(&out, "Connection: close\r\n");
  absl::StrAppend(&out, "\r\n", head_only ? "" : answer.body);
  return out;
}

std::string JsonQuote(absl::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const size_t size = CharacterSize(text);
    if (size == 0) {
      out.append("\xef\xbf\xbd");
    } else if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
      AppendEscaped(c, &out);
    } else {
      absl::StrAppend(&out, text.substr(0, size));
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  out.push_back('"');
  return out;
}

}  // namespace cdgate::http
