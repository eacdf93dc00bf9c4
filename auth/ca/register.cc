#include "auth/ca/register.h"

#include <simdjson.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::ca {
namespace {

using crypto::RevocationReason;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr char kFormat[] = "cdgate-ca";
constexpr uint64_t kVersion = 1;
constexpr char kTime[] = "%Y-%m-%dT%H:%M:%SZ";

constexpr std::pair<RevocationReason, absl::string_view> kReasons[] = {
    {RevocationReason::kUnspecified, "unspecified"},
    {RevocationReason::kKeyCompromise, "key_compromise"},
    {RevocationReason::kCaCompromise, "ca_compromise"},
    {RevocationReason::kAffiliationChanged, "affiliation_changed"},
    {RevocationReason::kSuperseded, "superseded"},
    {RevocationReason::kCessationOfOperation, "cessation_of_operation"},
    {RevocationReason::kPrivilegeWithdrawn, "privilege_withdrawn"}};

absl::Status Wrong(size_t line, absl::string_view what) {
  return base::MakeError(base::Reason::kInvalidConfig,
                         absl::StrCat("line ", line, " of the CA's register: ", what,
                                      "; restore the file from a backup"),
                         {{"line", absl::StrCat(line)}});
}

std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&out, absl::StrFormat("\\u%04x", static_cast<unsigned char>(c)));
    } else {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string Quoted(absl::Time time) {
  return Quoted(absl::FormatTime(kTime, time, absl::UTCTimeZone()));
}

std::string Quoted(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts)
    absl::StrAppend(&out, out.size() > 1 ? "," : "", Quoted(text));
  return out + "]";
}

// The members of one line. Keeps the first fault.
class Line {
 public:
  Line(const object& members, size_t number) : members_(members), number_(number) {}

  std::string Text(const char* key) {
    std::string_view text;
    if (members_.at_key(key).get(text) != simdjson::SUCCESS) Fail(key, "a text");
    return std::string(text);
  }
  uint64_t Number(const char* key) {
    uint64_t number = 0;
    if (members_.at_key(key).get(number) != simdjson::SUCCESS) Fail(key, "a number");
    return number;
  }
  bool Bool(const char* key) {
    bool value = false;
    if (members_.at_key(key).get(value) != simdjson::SUCCESS) Fail(key, "true or false");
    return value;
  }
  absl::Time Time(const char* key) {
    absl::Time time;
    std::string error;
    if (!absl::ParseTime(kTime, Text(key), &time, &error))
      Fail(key, "a time like 2026-01-02T03:04:05Z");
    return time;
  }
  std::vector<std::string> Texts(const char* key) {
    std::vector<std::string> out;
    simdjson::dom::array array;
    if (members_.at_key(key).get(array) != simdjson::SUCCESS) {
      Fail(key, "a list of texts");
      return out;
    }
    for (const element item : array) {
      std::string_view text;
      if (item.get(text) != simdjson::SUCCESS) Fail(key, "a list of texts");
      out.emplace_back(text);
    }
    return out;
  }
  bool Has(const char* key) const { return members_.at_key(key).error() == simdjson::SUCCESS; }

  void Fail(const char* key, absl::string_view expected) {
    if (status_.ok()) status_ = Wrong(number_, absl::StrCat(key, ": expected ", expected));
  }
  const absl::Status& status() const { return status_; }

 private:
  const object members_;
  const size_t number_;
  absl::Status status_;
};

absl::StatusOr<object> ParseLine(simdjson::dom::parser& parser, absl::string_view text,
                                 size_t number) {
  object members;
  const simdjson::error_code error = parser.parse(text.data(), text.size()).get(members);
  if (error == simdjson::SUCCESS) return members;
  return Wrong(number, absl::StrCat("no JSON object: ", simdjson::error_message(error)));
}

absl::Status ReadHead(const object& members, Register* out) {
  Line line(members, 1);
  if (line.Text("format") != kFormat || !line.status().ok()) {
    return Wrong(1, absl::StrCat("expected the head, with \"format\":\"", kFormat, "\""));
  }
  if (line.Number("version") > kVersion) {
    return Wrong(1, "written by a newer release; use that one");
  }
  out->domain = line.Text("domain");
  out->crl_number = line.Number("crl_number");
  out->bundle_sequence = line.Number("bundle_sequence");
  out->dns_suffixes = line.Texts("dns_suffixes");
  return line.status();
}

absl::StatusOr<Entry> ReadEntry(const object& members, size_t number) {
  Line line(members, number);
  Entry entry;
  entry.serial = line.Text("serial");
  entry.id = line.Text("id");
  entry.issuer = line.Text("issuer");
  entry.key = line.Text("key");
  entry.is_ca = line.Bool("ca");
  entry.dns_names = line.Texts("dns");
  entry.ip_names = line.Texts("ip");
  entry.not_before = line.Time("not_before");
  entry.not_after = line.Time("not_after");
  if (line.Has("revoked")) {
    entry.revoked = line.Time("revoked");
    const auto reason = ReasonFromName(line.Text("reason"));
    if (!reason.has_value()) line.Fail("reason", "the name of a reason");
    entry.reason = reason.value_or(RevocationReason::kUnspecified);
  }
  if (!base::HexDecode(entry.serial).ok()) line.Fail("serial", "lower-case hex");
  if (!line.status().ok()) return line.status();
  return entry;
}

std::string HeadText(const Register& issued) {
  return absl::StrCat("{\"format\":", Quoted(kFormat), ",\"version\":", kVersion,
                      ",\"domain\":", Quoted(issued.domain), ",\"crl_number\":", issued.crl_number,
                      ",\"bundle_sequence\":", issued.bundle_sequence,
                      ",\"dns_suffixes\":", Quoted(issued.dns_suffixes), "}\n");
}

std::string EntryText(const Entry& entry) {
  std::string out =
      absl::StrCat("{\"serial\":", Quoted(entry.serial), ",\"id\":", Quoted(entry.id),
                   ",\"issuer\":", Quoted(entry.issuer), ",\"key\":", Quoted(entry.key),
                   ",\"ca\":", entry.is_ca ? "true" : "false", ",\"dns\":", Quoted(entry.dns_names),
                   ",\"ip\":", Quoted(entry.ip_names), ",\"not_before\":", Quoted(entry.not_before),
                   ",\"not_after\":", Quoted(entry.not_after));
  if (entry.revoked.has_value()) {
    absl::StrAppend(&out, ",\"revoked\":", Quoted(*entry.revoked),
                    ",\"reason\":", Quoted(ReasonName(entry.reason)));
  }
  return out + "}\n";
}

bool IsRevokedAttestor(const Entry& entry) {
  const auto id = trust::SpiffeId::Parse(entry.id);
  return entry.revoked.has_value() && id.ok() && id->is_attestor();
}

}  // namespace

Entry Entry::Of(const crypto::Certificate& certificate, const crypto::Certificate& issuer) {
  Entry entry;
  entry.serial = certificate.serial();
  if (!certificate.uri_names().empty()) entry.id = certificate.uri_names().front();
  entry.issuer = issuer.serial();
  entry.key = certificate.key_description();
  entry.is_ca = certificate.is_ca();
  entry.dns_names = certificate.dns_names();
  entry.ip_names = certificate.ip_names();
  entry.not_before = certificate.not_before();
  entry.not_after = certificate.not_after();
  return entry;
}

absl::string_view ReasonName(RevocationReason reason) {
  for (const auto& [known, name] : kReasons) {
    if (known == reason) return name;
  }
  return kReasons[0].second;
}

std::optional<RevocationReason> ReasonFromName(absl::string_view name) {
  for (const auto& [reason, known] : kReasons) {
    if (known == name) return reason;
  }
  return std::nullopt;
}

std::vector<std::string> ReasonNames() {
  std::vector<std::string> names;
  for (const auto& [reason, name] : kReasons) names.emplace_back(name);
  return names;
}

absl::StatusOr<Register> Register::Parse(absl::string_view text) {
  Register out;
  simdjson::dom::parser parser;
  std::set<std::string> serials;
  size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty() && number > 1) continue;
    CDGATE_ASSIGN_OR_RETURN(const object members, ParseLine(parser, line, number));
    if (number == 1) {
      CDGATE_RETURN_IF_ERROR(ReadHead(members, &out));
      continue;
    }
    CDGATE_ASSIGN_OR_RETURN(Entry entry, ReadEntry(members, number));
    if (!serials.insert(entry.serial).second) {
      return Wrong(number, absl::StrCat("serial ", base::Shorten(entry.serial), " a second time"));
    }
    out.entries.push_back(std::move(entry));
  }
  return out;
}

std::string Register::ToText() const {
  std::string out = HeadText(*this);
  for (const Entry& entry : entries) absl::StrAppend(&out, EntryText(entry));
  return out;
}

Entry* Register::Find(absl::string_view serial) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.serial == serial; });
  return found == entries.end() ? nullptr : &*found;
}

void Register::ForgetExpired(absl::Time before) {
  entries.erase(std::remove_if(entries.begin(), entries.end(),
                               [&](const Entry& entry) {
                                 return entry.not_after < before && !IsRevokedAttestor(entry);
                               }),
                entries.end());
}

}  // namespace cdgate::ca
