// Judges one value by a schema that the library parsed.
//
//   Evaluation evaluation(patterns);
//   const bool valid = evaluation.Judge(*schema.root(), document);
//   for (const Fault& fault : evaluation.faults()) ...
//
// A visitor of the library's constraints, in place of its own, whose regular expressions
// end the process on long strings and whose time has no bound. Here a judgement takes at most
// kMaxSteps steps, each about as long as looking at one value, and at most kMaxDepth schemas
// within another; what would need more is invalid, with a fault that says so.
#pragma once

// Before any other header of RapidJSON.
#include <valijson/adapters/rapidjson_adapter.hpp>
// The library's own order ends here.
#include <valijson/constraints/concrete_constraints.hpp>
#include <valijson/constraints/constraint_visitor.hpp>
#include <valijson/subschema.hpp>

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "gateway/schema/pattern.h"
#include "gateway/schema/schema_set.h"

namespace cdgate::schema {

using Patterns = absl::flat_hash_map<std::string, PatternPtr>;

inline constexpr size_t kMaxSteps = 1'000'000;
inline constexpr size_t kMaxDepth = 512;

// For one judgement. Not thread-safe; the schema and the patterns are only read.
class Evaluation : private valijson::constraints::ConstraintVisitor {
 public:
  // `patterns` has every regular expression of the schema.
  explicit Evaluation(const Patterns& patterns) : patterns_(patterns) {}
  ~Evaluation() override = default;

  // Once.
  bool Judge(const valijson::Subschema& schema, const rapidjson::Value& document);

  // The first kMaxFaults of them, in the order they were found; none where it is valid.
  const std::vector<Fault>& faults() const { return faults_; }

 private:
  using Value = rapidjson::Value;
  using Subschema = valijson::Subschema;

  bool visit(const AllOfConstraint& constraint) override;
  bool visit(const AnyOfConstraint& constraint) override;
  bool visit(const ConditionalConstraint& constraint) override;
  bool visit(const ConstConstraint& constraint) override;
  bool visit(const ContainsConstraint& constraint) override;
  bool visit(const DependenciesConstraint& constraint) override;
  bool visit(const EnumConstraint& constraint) override;
  bool visit(const FormatConstraint& constraint) override;
  bool visit(const LinearItemsConstraint& constraint) override;
  bool visit(const MaxItemsConstraint& constraint) override;
  bool visit(const MaximumConstraint& constraint) override;
  bool visit(const MaxLengthConstraint& constraint) override;
  bool visit(const MaxPropertiesConstraint& constraint) override;
  bool visit(const MinItemsConstraint& constraint) override;
  bool visit(const MinimumConstraint& constraint) override;
  bool visit(const MinLengthConstraint& constraint) override;
  bool visit(const MinPropertiesConstraint& constraint) override;
  bool visit(const MultipleOfDoubleConstraint& constraint) override;
  bool visit(const MultipleOfIntConstraint& constraint) override;
  bool visit(const NotConstraint& constraint) override;
  bool visit(const OneOfConstraint& constraint) override;
  bool visit(const PatternConstraint& constraint) override;
  bool visit(const PolyConstraint& constraint) override;
  bool visit(const PropertiesConstraint& constraint) override;
  bool visit(const PropertyNamesConstraint& constraint) override;
  bool visit(const RequiredConstraint& constraint) override;
  bool visit(const SingularItemsConstraint& constraint) override;
  bool visit(const TypeConstraint& constraint) override;
  bool visit(const UniqueItemsConstraint& constraint) override;

  // Whether `value` is valid under the schema; faults are kept unless quiet_.
  bool Under(const Subschema& schema, const Value& value);
  bool UnderQuietly(const Subschema& schema, const Value& value);
  // The same one step deeper: an item, or a member.
  bool ItemUnder(const Subschema& schema, size_t index);
  bool MemberUnder(const Subschema& schema, const Value::Member& member);

  // The member of the value, an object, of that name; null where it has none.
  const Value* Find(absl::string_view name);
  bool MatchesPattern(const std::string& pattern, absl::string_view text);
  // False where the judgement costs too much; everything fails from then on.
  bool Spend(size_t steps);
  // Keeps a fault at the value at hand. False, to be returned.
  bool Fail(absl::string_view rule);
  bool Hold(bool holds, absl::string_view rule) { return holds || Fail(rule); }
  std::string Pointer() const;

  const Patterns& patterns_;
  const Value* value_ = nullptr;
  std::vector<std::string> path_;
  std::vector<Fault> faults_;
  size_t steps_ = 0;
  size_t depth_ = 0;
  size_t quiet_ = 0;
  bool exhausted_ = false;
};

}  // namespace cdgate::schema
