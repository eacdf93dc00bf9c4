// The JSON Schemas that the operator registered, compiled: what a CDEvent's
// context.schemaUri can name here.
//
//   const auto compiled = SchemaSet::Compile({{"https://alpha.example/build", document}});
//   Verdict verdict = compiled.set->Check(valid.schema_uri(), valid.data());
//   if (verdict.result == Verdict::kInvalid) for (const Fault& f : verdict.faults) ...
//
// Nothing is ever fetched: a URI that is not registered is unresolved, at the price of one
// look-up. What a registered schema costs is bounded, whatever the event holds: evaluation.h.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/base/mutex.h"
#include "gateway/cdevents/faults.h"

namespace cdgate::schema {

inline constexpr size_t kMaxSchemaBytes = 256 << 10;  // of one document
inline constexpr size_t kMaxSchemas = 1'000;          // in one set
inline constexpr size_t kMaxSetBytes = 16 << 20;      // of all documents
inline constexpr size_t kMaxUriBytes = 1'024;
inline constexpr size_t kMaxFaults = 8;  // told of one event

struct SchemaDocument {
  std::string uri;
  std::string text;  // JSON
};

// One thing that a schema forbids; the rule is the keyword with what it demands.
using cdevents::Fault;

struct Verdict {
  enum Result { kUnresolved, kValid, kInvalid };
  Result result = kUnresolved;
  std::vector<Fault> faults;  // where invalid, the first kMaxFaults
};

// Immutable; thread-safe.
class SchemaSet {
 public:
  struct Compiled;

  // Nothing is registered.
  SchemaSet();
  ~SchemaSet();
  SchemaSet(const SchemaSet&) = delete;
  SchemaSet& operator=(const SchemaSet&) = delete;

  // What cannot be compiled is not in the set, and why is in `refused`, by its URI:
  // SCHEMA_UNSUPPORTED naming the place, TOO_LARGE, INVALID_ARGUMENT for a URI that is not
  // absolute or is there twice. What did not change since `before` is not compiled again.
  static Compiled Compile(absl::Span<const SchemaDocument> documents,
                          const SchemaSet* before = nullptr);

  // `data` is I-JSON of at most the gateway's event limit (admission has checked it).
  Verdict Check(absl::string_view schema_uri, absl::string_view data) const;

  bool Has(absl::string_view uri) const { return schemas_.contains(uri); }
  size_t size() const { return schemas_.size(); }
  // The registered schemas that refer to the one of this URI, itself left out, sorted.
  std::vector<std::string> UsersOf(absl::string_view uri) const;

 private:
  struct Schema;
  using SchemaPtr = std::shared_ptr<const Schema>;

  absl::flat_hash_map<std::string, SchemaPtr> schemas_;
};

struct SchemaSet::Compiled {
  std::shared_ptr<const SchemaSet> set;
  std::vector<std::pair<std::string, absl::Status>> refused;
};

// The schemas in force. Thread-safe.
class SchemaRegistry {
 public:
  std::shared_ptr<const SchemaSet> Current() const;
  void Replace(std::shared_ptr<const SchemaSet> schemas);

 private:
  mutable base::Mutex mu_;
  std::shared_ptr<const SchemaSet> current_ CDGATE_GUARDED_BY(mu_) =
      std::make_shared<const SchemaSet>();
};

}  // namespace cdgate::schema
