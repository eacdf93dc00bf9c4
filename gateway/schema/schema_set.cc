#include "gateway/schema/schema_set.h"

// Before any other header of RapidJSON.
#include <valijson/adapters/rapidjson_adapter.hpp>
// The library's own order ends here.
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/schema/bundle.h"
#include "gateway/schema/evaluation.h"

namespace cdgate::schema {
namespace {

using Documents = absl::flat_hash_map<absl::string_view, const SchemaDocument*>;

absl::Status CheckDocument(const SchemaDocument& document) {
  if (!IsAbsoluteUri(document.uri) || document.uri.size() > kMaxUriBytes) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           absl::StrCat("the schema's URI \"", base::Shorten(document.uri),
                                        "\" is not an absolute URI without a fragment, of at "
                                        "most 1,024 bytes"),
                           {{"uri", base::Shorten(document.uri)}});
  }
  if (document.text.size() <= kMaxSchemaBytes) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kTooLarge,
      absl::StrCat("schema ", base::Shorten(document.uri, 200), " has ", document.text.size(),
                   " bytes, the limit is ", kMaxSchemaBytes, "; split it by $ref"),
      {{"limit", absl::StrCat(kMaxSchemaBytes)}});
}

absl::Status TooMany(absl::string_view uri, absl::string_view limit) {
  return base::MakeError(base::Reason::kTooLarge,
                         absl::StrCat("schema ", base::Shorten(uri, 200), " is beyond ", limit,
                                      "; remove those that no event names"));
}

}  // namespace

struct SchemaSet::Schema {
  std::string digest;  // SHA-256 of its own document
  // The documents that it was compiled from, with their digests.
  std::vector<std::pair<std::string, std::string>> made_of;
  valijson::Schema rules;
  Patterns patterns;
};

namespace {

absl::Status Parse(absl::string_view uri, const Bundle& bundle, valijson::Schema* rules) {
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::RapidJsonAdapter(bundle.root), *rules);
    return absl::OkStatus();
  } catch (const std::exception& fault) {
    return Unsupported(uri, "", absl::StrCat("valijson: ", fault.what()));
  }
}

}  // namespace

SchemaSet::SchemaSet() = default;
SchemaSet::~SchemaSet() = default;

SchemaSet::Compiled SchemaSet::Compile(absl::Span<const SchemaDocument> documents,
                                       const SchemaSet* before) {
  Compiled out;
  auto set = std::make_shared<SchemaSet>();
  absl::flat_hash_map<absl::string_view, const SchemaDocument*> known;
  absl::flat_hash_map<absl::string_view, std::string> digests;
  size_t bytes = 0;
  for (const SchemaDocument& document : documents) {
    absl::Status status = CheckDocument(document);
    bytes += document.text.size();
    if (status.ok() && known.size() == kMaxSchemas) status = TooMany(document.uri, "1,000 schemas");
    if (status.ok() && bytes > kMaxSetBytes) status = TooMany(document.uri, "16 MiB of schemas");
    if (status.ok() && !known.emplace(document.uri, &document).second) {
      status = base::MakeError(base::Reason::kInvalidArgument,
                               absl::StrCat("the schema ", document.uri, " is there twice"));
    }
    if (!status.ok()) {
      out.refused.emplace_back(document.uri, status);
      continue;
    }
    digests[document.uri] = crypto::Sha256(document.text);
  }
  const auto find = [&known](absl::string_view uri) {
    const auto found = known.find(uri);
    return found == known.end() ? nullptr : &found->second->text;
  };
  const auto unchanged = [&digests](const Schema& schema) {
    return std::all_of(schema.made_of.begin(), schema.made_of.end(), [&](const auto& part) {
      const auto now = digests.find(part.first);
      return now != digests.end() && now->second == part.second;
    });
  };
  for (const auto& [uri, document] : known) {
    if (before != nullptr) {
      const auto old = before->schemas_.find(uri);
      if (old != before->schemas_.end() && unchanged(*old->second)) {
        set->schemas_.emplace(uri, old->second);
        continue;
      }
    }
    absl::StatusOr<Bundle> bundle = MakeBundle(uri, find);
    auto schema = std::make_shared<Schema>();
    absl::Status status = bundle.ok() ? Parse(uri, *bundle, &schema->rules) : bundle.status();
    if (!status.ok()) {
      out.refused.emplace_back(uri, status);
      continue;
    }
    for (const std::string& pattern : bundle->patterns) {
      schema->patterns.emplace(pattern, *CompilePattern(pattern));
    }
    for (const std::string& part : bundle->documents) {
      schema->made_of.emplace_back(part, digests[part]);
    }
    set->schemas_.emplace(uri, std::move(schema));
  }
  out.set = std::move(set);
  return out;
}

Verdict SchemaSet::Check(absl::string_view schema_uri, absl::string_view data) const {
  Verdict verdict;
  const auto found = schemas_.find(schema_uri);
  if (found == schemas_.end()) return verdict;
  rapidjson::Document document;
  document.Parse<rapidjson::kParseFullPrecisionFlag>(data.data(), data.size());
  if (document.HasParseError()) {
    verdict.result = Verdict::kInvalid;
    verdict.faults.push_back({"", "has a number that no double can hold", ""});
    return verdict;
  }
  Evaluation evaluation(found->second->patterns);
  const bool valid = evaluation.Judge(*found->second->rules.root(), document);
  verdict.result = valid ? Verdict::kValid : Verdict::kInvalid;
  if (!valid) verdict.faults = evaluation.faults();
  return verdict;
}

std::vector<std::string> SchemaSet::UsersOf(absl::string_view uri) const {
  std::vector<std::string> users;
  for (const auto& [user, schema] : schemas_) {
    const auto& parts = schema->made_of;
    const bool uses = std::any_of(parts.begin(), parts.end(),
                                  [uri](const auto& part) { return part.first == uri; });
    if (uses && user != uri) users.push_back(user);
  }
  std::sort(users.begin(), users.end());
  return users;
}

std::string ToText(const Fault& fault) {
  const absl::string_view found = fault.value.empty() ? "" : ", found ";
  return absl::StrCat(fault.path.empty() ? "the data" : fault.path, ": ", fault.rule, found,
                      fault.value);
}

std::shared_ptr<const SchemaSet> SchemaRegistry::Current() const {
  base::MutexLock lock(mu_);
  return current_;
}

void SchemaRegistry::Replace(std::shared_ptr<const SchemaSet> schemas) {
  base::MutexLock lock(mu_);
  current_.swap(schemas);  // the old ones die outside the lock
}

}  // namespace cdgate::schema
