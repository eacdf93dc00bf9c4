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

namespace {

using Refusals = std::vector<std::pair<std::string, absl::Status>>;

// The documents of one set.
class Documents {
 public:
  // Those that are within the limits; the others go to `refused`.
  Documents(absl::Span<const SchemaDocument> documents, Refusals* refused) {
    for (const SchemaDocument& document : documents) {
      if (absl::Status status = Take(document); !status.ok()) {
        refused->emplace_back(document.uri, std::move(status));
      }
    }
  }

  const std::string* Find(absl::string_view uri) const {
    const auto found = known_.find(uri);
    return found == known_.end() ? nullptr : &found->second.document->text;
  }
  // SHA-256; empty where there is no such document.
  const std::string& DigestOf(absl::string_view uri) const {
    static const std::string* const none = new std::string;
    const auto found = known_.find(uri);
    return found == known_.end() ? *none : found->second.digest;
  }
  template <typename F>
  void ForEachUri(F&& f) const {
    for (const auto& [uri, known] : known_) f(known.document->uri);
  }

 private:
  struct Known {
    const SchemaDocument* document;
    std::string digest;
  };

  absl::Status Take(const SchemaDocument& document) {
    CDGATE_RETURN_IF_ERROR(CheckDocument(document));
    if (known_.size() == kMaxSchemas) return TooMany(document.uri, "1,000 schemas");
    if (bytes_ + document.text.size() > kMaxSetBytes) {
      return TooMany(document.uri, "16 MiB of schemas");
    }
    const Known known{&document, crypto::Sha256(document.text)};
    if (!known_.emplace(document.uri, known).second) {
      return base::MakeError(base::Reason::kInvalidArgument,
                             absl::StrCat("the schema ", document.uri, " is there twice"));
    }
    bytes_ += document.text.size();
    return absl::OkStatus();
  }

  absl::flat_hash_map<absl::string_view, Known> known_;
  size_t bytes_ = 0;
};

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

struct SchemaSet::Schema {
  static absl::StatusOr<SchemaPtr> Make(absl::string_view uri, const Documents& documents) {
    CDGATE_ASSIGN_OR_RETURN(
        const Bundle bundle,
        MakeBundle(uri, [&documents](absl::string_view other) { return documents.Find(other); }));
    auto schema = std::make_shared<Schema>();
    CDGATE_RETURN_IF_ERROR(Parse(uri, bundle, &schema->rules));
    for (const std::string& pattern : bundle.patterns) {
      CDGATE_ASSIGN_OR_RETURN(schema->patterns[pattern], CompilePattern(pattern));
    }
    for (const std::string& part : bundle.documents) {
      schema->made_of.emplace_back(part, documents.DigestOf(part));
    }
    return schema;
  }

  // Whether it would be made of the same again.
  bool IsOf(const Documents& documents) const {
    return std::all_of(made_of.begin(), made_of.end(), [&documents](const auto& part) {
      return documents.DigestOf(part.first) == part.second;
    });
  }

  // The documents that it was compiled from, with their digests.
  std::vector<std::pair<std::string, std::string>> made_of;
  valijson::Schema rules;
  Patterns patterns;
};

SchemaSet::SchemaSet() = default;
SchemaSet::~SchemaSet() = default;

SchemaSet::Compiled SchemaSet::Compile(absl::Span<const SchemaDocument> documents,
                                       const SchemaSet* before) {
  Compiled out;
  auto set = std::make_shared<SchemaSet>();
  const Documents known(documents, &out.refused);
  known.ForEachUri([&](const std::string& uri) {
    if (before != nullptr) {
      const auto old = before->schemas_.find(uri);
      if (old != before->schemas_.end() && old->second->IsOf(known)) {
        set->schemas_.emplace(uri, old->second);
        return;
      }
    }
    absl::StatusOr<SchemaPtr> schema = Schema::Make(uri, known);
    if (schema.ok()) {
      set->schemas_.emplace(uri, *std::move(schema));
    } else {
      out.refused.emplace_back(uri, schema.status());
    }
  });
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

std::shared_ptr<const SchemaSet> SchemaRegistry::Current() const {
  base::MutexLock lock(mu_);
  return current_;
}

void SchemaRegistry::Replace(std::shared_ptr<const SchemaSet> schemas) {
  base::MutexLock lock(mu_);
  current_.swap(schemas);  // the old ones die outside the lock
}

}  // namespace cdgate::schema
