#include "gateway/schema/evaluation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gateway/base/encoding.h"
#include "gateway/schema/formats.h"
#include "gateway/schema/keywords.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace cdgate::schema {
namespace {

using rapidjson::Value;
using valijson::Subschema;
using valijson::constraints::Constraint;
using valijson::constraints::TypeConstraint;

constexpr size_t kShownBytes = 80;  // of a value in a fault

template <typename String>
absl::string_view View(const String& text) {
  return {text.data(), text.size()};
}

// As JSON; arrays and objects only by their size, which may be large.
std::string Shown(const Value& value) {
  if (value.IsArray()) return absl::StrCat("an array of ", value.Size());
  if (value.IsObject()) return absl::StrCat("an object of ", value.MemberCount());
  if (value.IsString()) return absl::StrCat("\"", base::Shorten(TextOf(value), kShownBytes), "\"");
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return buffer.GetString();
}

size_t CodePoints(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

bool IsWhole(const Value& value) {
  return value.IsInt64() || value.IsUint64() ||
         (value.IsDouble() && std::trunc(value.GetDouble()) == value.GetDouble());
}

absl::string_view NameOf(TypeConstraint::JsonType type) {
  switch (type) {
    case TypeConstraint::kArray: return "array";
    case TypeConstraint::kBoolean: return "boolean";
    case TypeConstraint::kInteger: return "integer";
    case TypeConstraint::kNull: return "null";
    case TypeConstraint::kNumber: return "number";
    case TypeConstraint::kObject: return "object";
    case TypeConstraint::kString: return "string";
    case TypeConstraint::kAny: break;
  }
  return "any";
}

bool IsOf(const Value& value, TypeConstraint::JsonType type) {
  switch (type) {
    case TypeConstraint::kArray: return value.IsArray();
    case TypeConstraint::kBoolean: return value.IsBool();
    case TypeConstraint::kInteger: return IsWhole(value);
    case TypeConstraint::kNull: return value.IsNull();
    case TypeConstraint::kNumber: return value.IsNumber();
    case TypeConstraint::kObject: return value.IsObject();
    case TypeConstraint::kString: return value.IsString();
    case TypeConstraint::kAny: break;
  }
  return true;
}

// The same for equal values; `steps` counts the values looked at.
size_t HashOf(const Value& value, size_t* steps) {
  ++*steps;
  switch (value.GetType()) {
    case rapidjson::kNullType:
    case rapidjson::kFalseType:
    case rapidjson::kTrueType: return absl::HashOf(static_cast<int>(value.GetType()));
    case rapidjson::kNumberType: return absl::HashOf(value.GetDouble() + 0.0);
    case rapidjson::kStringType: return absl::HashOf(TextOf(value));
    case rapidjson::kArrayType: break;
    case rapidjson::kObjectType: {
      size_t sum = value.MemberCount();
      for (const auto& member : value.GetObject()) {
        sum += absl::HashOf(TextOf(member.name), HashOf(member.value, steps));
      }
      return absl::HashOf(sum);
    }
  }
  size_t hash = value.Size();
  for (const Value& item : value.GetArray()) hash = absl::HashOf(hash, HashOf(item, steps));
  return hash;
}

}  // namespace

bool Evaluation::Judge(const Subschema& schema, const Value& document) {
  const bool valid = Under(schema, document);
  if (!exhausted_) return valid;
  if (faults_.size() == kMaxFaults) faults_.pop_back();
  faults_.insert(faults_.begin(),
                 {"", "takes more work to check than one event may", Shown(document)});
  return false;
}

bool Evaluation::Spend(size_t steps) {
  steps_ += steps;
  exhausted_ = exhausted_ || steps_ > kMaxSteps;
  return !exhausted_;
}

std::string Evaluation::Pointer() const {
  std::string out;
  for (const std::string& part : path_) {
    absl::StrAppend(&out, "/", absl::StrReplaceAll(part, {{"~", "~0"}, {"/", "~1"}}));
  }
  return base::Shorten(out, 200);
}

bool Evaluation::Fail(absl::string_view rule) {
  if (quiet_ == 0 && !exhausted_ && faults_.size() < kMaxFaults) {
    faults_.push_back({Pointer(), base::Shorten(rule, 200), Shown(*value_)});
  }
  return false;
}

bool Evaluation::Under(const Subschema& schema, const Value& value) {
  if (depth_ >= kMaxDepth) exhausted_ = true;
  if (!Spend(1)) return false;
  const Value* const around = std::exchange(value_, &value);
  ++depth_;
  Subschema::ApplyFunction judge = [this](const Constraint& constraint) {
    return Spend(1) && constraint.accept(*this);
  };
  bool valid = false;
  if (schema.getAlwaysInvalid()) {
    Fail("nothing is allowed here");
  } else {
    valid = quiet_ > 0 ? schema.applyStrict(judge) : schema.apply(judge);
  }
  --depth_;
  value_ = around;
  return valid && !exhausted_;
}

bool Evaluation::UnderQuietly(const Subschema& schema, const Value& value) {
  ++quiet_;
  const bool valid = Under(schema, value);
  --quiet_;
  return valid;
}

bool Evaluation::ItemUnder(const Subschema& schema, size_t index) {
  path_.push_back(quiet_ == 0 ? absl::StrCat(index) : "");
  const bool valid = Under(schema, (*value_)[static_cast<unsigned>(index)]);
  path_.pop_back();
  return valid;
}

bool Evaluation::MemberUnder(const Subschema& schema, const Value::Member& member) {
  path_.emplace_back(quiet_ == 0 ? TextOf(member.name) : "");
  const bool valid = Under(schema, member.value);
  path_.pop_back();
  return valid;
}

const Value* Evaluation::Find(absl::string_view name) {
  if (!Spend(1 + value_->MemberCount() / 8)) return nullptr;
  const auto found = value_->FindMember(
      Value(rapidjson::StringRef(name.data(), static_cast<unsigned>(name.size()))));
  return found == value_->MemberEnd() ? nullptr : &found->value;
}

bool Evaluation::MatchesPattern(const std::string& pattern, absl::string_view text) {
  const auto found = patterns_.find(pattern);
  return found != patterns_.end() && Spend(found->second->CostOf(text)) &&
         found->second->MatchesIn(text);
}

// --- Any value

bool Evaluation::visit(const AllOfConstraint& constraint) {
  bool all = true;
  constraint.applyToSubschemas([&](unsigned, const Subschema* schema) {
    all = Under(*schema, *value_) && all;
    return all || quiet_ == 0;
  });
  return all;
}

bool Evaluation::visit(const AnyOfConstraint& constraint) {
  bool any = false;
  constraint.applyToSubschemas([&](unsigned, const Subschema* schema) {
    any = UnderQuietly(*schema, *value_);
    return !any;
  });
  return Hold(any, "anyOf: none of them holds");
}

bool Evaluation::visit(const OneOfConstraint& constraint) {
  size_t holding = 0;
  constraint.applyToSubschemas([&](unsigned, const Subschema* schema) {
    holding += UnderQuietly(*schema, *value_) ? 1 : 0;
    return holding < 2;
  });
  return Hold(holding == 1,
              holding == 0 ? "oneOf: none of them holds" : "oneOf: more than one of them holds");
}

bool Evaluation::visit(const NotConstraint& constraint) {
  return Hold(!UnderQuietly(*constraint.getSubschema(), *value_), "not: it holds");
}

bool Evaluation::visit(const ConditionalConstraint& constraint) {
  const Subschema* const branch = UnderQuietly(*constraint.getIfSubschema(), *value_)
                                      ? constraint.getThenSubschema()
                                      : constraint.getElseSubschema();
  return branch == nullptr || Under(*branch, *value_);
}

bool Evaluation::visit(const ConstConstraint& constraint) {
  const valijson::adapters::RapidJsonAdapter value(*value_);
  return Hold(constraint.getValue()->equalTo(value, true), "const");
}

bool Evaluation::visit(const EnumConstraint& constraint) {
  const valijson::adapters::RapidJsonAdapter value(*value_);
  bool found = false;
  constraint.applyToValues([&](const valijson::adapters::FrozenValue& allowed) {
    found = Spend(1) && allowed.equalTo(value, true);
    return !found && !exhausted_;
  });
  return Hold(found, "enum");
}

bool Evaluation::visit(const TypeConstraint& constraint) {
  bool any = false;
  std::string rule = "type";
  constraint.applyToNamedTypes([&](TypeConstraint::JsonType type) {
    any = IsOf(*value_, type);
    absl::StrAppend(&rule, " ", NameOf(type));
    return !any;
  });
  return Hold(any, rule);
}

// Never made: no keyword of ours.
bool Evaluation::visit(const PolyConstraint&) { return Fail("unknown constraint"); }

// --- Numbers

bool Evaluation::visit(const MaximumConstraint& constraint) {
  if (!value_->IsNumber()) return true;
  const double limit = constraint.getMaximum();
  if (!constraint.getExclusiveMaximum()) {
    return Hold(value_->GetDouble() <= limit, absl::StrCat("maximum ", limit));
  }
  return Hold(value_->GetDouble() < limit, absl::StrCat("exclusiveMaximum ", limit));
}

bool Evaluation::visit(const MinimumConstraint& constraint) {
  if (!value_->IsNumber()) return true;
  const double limit = constraint.getMinimum();
  if (!constraint.getExclusiveMinimum()) {
    return Hold(value_->GetDouble() >= limit, absl::StrCat("minimum ", limit));
  }
  return Hold(value_->GetDouble() > limit, absl::StrCat("exclusiveMinimum ", limit));
}

bool Evaluation::visit(const MultipleOfDoubleConstraint& constraint) {
  if (!value_->IsNumber()) return true;
  const double divisor = constraint.getDivisor();
  const double quotient = value_->GetDouble() / divisor;
  // Decimal fractions are no binary ones: 0.0075 is a multiple of 0.0001.
  const bool multiple = std::isfinite(quotient) &&
                        std::abs(quotient - std::round(quotient)) <= 1e-9 * std::abs(quotient);
  return Hold(multiple, absl::StrCat("multipleOf ", divisor));
}

bool Evaluation::visit(const MultipleOfIntConstraint& constraint) {
  if (!value_->IsNumber()) return true;
  const int64_t divisor = constraint.getDivisor();
  bool multiple = false;
  if (value_->IsInt64()) {
    multiple = value_->GetInt64() % divisor == 0;
  } else if (value_->IsUint64()) {
    multiple = value_->GetUint64() % static_cast<uint64_t>(divisor) == 0;
  } else {
    multiple = std::fmod(value_->GetDouble(), static_cast<double>(divisor)) == 0;
  }
  return Hold(multiple, absl::StrCat("multipleOf ", divisor));
}

// --- Strings

bool Evaluation::visit(const MaxLengthConstraint& constraint) {
  if (!value_->IsString()) return true;
  const uint64_t limit = constraint.getMaxLength();
  return Hold(Spend(value_->GetStringLength() / 64) && CodePoints(TextOf(*value_)) <= limit,
              absl::StrCat("maxLength ", limit));
}

bool Evaluation::visit(const MinLengthConstraint& constraint) {
  if (!value_->IsString()) return true;
  const uint64_t limit = constraint.getMinLength();
  return Hold(Spend(value_->GetStringLength() / 64) && CodePoints(TextOf(*value_)) >= limit,
              absl::StrCat("minLength ", limit));
}

bool Evaluation::visit(const PatternConstraint& constraint) {
  if (!value_->IsString()) return true;
  const std::string pattern = constraint.getPattern<std::allocator<char>>();
  return Hold(MatchesPattern(pattern, TextOf(*value_)), absl::StrCat("pattern ", pattern));
}

bool Evaluation::visit(const FormatConstraint& constraint) {
  if (!value_->IsString()) return true;
  const CheckFormat* const check = FindFormat(constraint.getFormat());
  return Hold(Spend(value_->GetStringLength() / 4) && check != nullptr && (*check)(TextOf(*value_)),
              absl::StrCat("format ", constraint.getFormat()));
}

// --- Arrays

bool Evaluation::visit(const MaxItemsConstraint& constraint) {
  const uint64_t limit = constraint.getMaxItems();
  return !value_->IsArray() || Hold(value_->Size() <= limit, absl::StrCat("maxItems ", limit));
}

bool Evaluation::visit(const MinItemsConstraint& constraint) {
  const uint64_t limit = constraint.getMinItems();
  return !value_->IsArray() || Hold(value_->Size() >= limit, absl::StrCat("minItems ", limit));
}

bool Evaluation::visit(const SingularItemsConstraint& constraint) {
  if (!value_->IsArray()) return true;
  bool all = true;
  for (size_t i = 0; i < value_->Size() && (all || quiet_ == 0) && !exhausted_; ++i) {
    all = ItemUnder(*constraint.getItemsSubschema(), i) && all;
  }
  return all;
}

bool Evaluation::visit(const LinearItemsConstraint& constraint) {
  if (!value_->IsArray()) return true;
  bool all = true;
  constraint.applyToItemSubschemas([&](unsigned index, const Subschema* schema) {
    if (index >= value_->Size()) return false;
    all = ItemUnder(*schema, index) && all;
    return all || quiet_ == 0;
  });
  const Subschema* const rest = constraint.getAdditionalItemsSubschema();
  const size_t listed = constraint.getItemSubschemaCount();
  if (rest == nullptr) return Hold(value_->Size() <= listed, "additionalItems") && all;
  for (size_t i = listed; i < value_->Size() && (all || quiet_ == 0) && !exhausted_; ++i) {
    all = ItemUnder(*rest, i) && all;
  }
  return all;
}

bool Evaluation::visit(const ContainsConstraint& constraint) {
  if (!value_->IsArray()) return true;
  for (const Value& item : value_->GetArray()) {
    if (UnderQuietly(*constraint.getSubschema(), item)) return true;
    if (exhausted_) return false;
  }
  return Fail("contains: no item is so");
}

bool Evaluation::visit(const UniqueItemsConstraint&) {
  if (!value_->IsArray()) return true;
  absl::flat_hash_map<size_t, std::vector<const Value*>> seen;
  for (const Value& item : value_->GetArray()) {
    size_t steps = 0;
    std::vector<const Value*>& same = seen[HashOf(item, &steps)];
    if (!Spend(steps)) return false;
    for (const Value* other : same) {
      // Members are looked for one by one.
      if (!Spend(steps * steps / 8)) return false;
      if (*other == item) return Fail("uniqueItems");
    }
    same.push_back(&item);
  }
  return true;
}

// --- Objects

bool Evaluation::visit(const MaxPropertiesConstraint& constraint) {
  const uint64_t limit = constraint.getMaxProperties();
  return !value_->IsObject() ||
         Hold(value_->MemberCount() <= limit, absl::StrCat("maxProperties ", limit));
}

bool Evaluation::visit(const MinPropertiesConstraint& constraint) {
  const uint64_t limit = constraint.getMinProperties();
  return !value_->IsObject() ||
         Hold(value_->MemberCount() >= limit, absl::StrCat("minProperties ", limit));
}

bool Evaluation::visit(const RequiredConstraint& constraint) {
  if (!value_->IsObject()) return true;
  bool all = true;
  constraint.applyToRequiredProperties([&](const auto& name) {
    if (Find(View(name)) == nullptr) all = Fail(absl::StrCat("required ", View(name)));
    return (all || quiet_ == 0) && !exhausted_;
  });
  return all;
}

bool Evaluation::visit(const PropertyNamesConstraint& constraint) {
  if (!value_->IsObject()) return true;
  bool all = true;
  for (const auto& member : value_->GetObject()) {
    all = Under(*constraint.getSubschema(), member.name) && all;
    if ((!all && quiet_ > 0) || exhausted_) return false;
  }
  return all;
}

bool Evaluation::visit(const DependenciesConstraint& constraint) {
  if (!value_->IsObject()) return true;
  bool all = true;
  constraint.applyToPropertyDependencies([&](const auto& name, const auto& needed) {
    if (Find(View(name)) == nullptr) return !exhausted_;
    for (const auto& other : needed) {
      if (Find(View(other)) != nullptr) continue;
      all = Fail(absl::StrCat("dependencies: ", View(name), " needs ", View(other)));
    }
    return (all || quiet_ == 0) && !exhausted_;
  });
  constraint.applyToSchemaDependencies([&](const auto& name, const Subschema* schema) {
    if (Find(View(name)) != nullptr) all = Under(*schema, *value_) && all;
    return (all || quiet_ == 0) && !exhausted_;
  });
  return all;
}

bool Evaluation::visit(const PropertiesConstraint& constraint) {
  if (!value_->IsObject()) return true;
  absl::flat_hash_map<absl::string_view, const Subschema*> named;
  constraint.applyToProperties([&](const auto& name, const Subschema* schema) {
    named.emplace(View(name), schema);
    return true;
  });
  if (!Spend(named.size() / 4)) return false;
  const Subschema* const rest = constraint.getAdditionalPropertiesSubschema();
  bool all = true;
  for (const auto& member : value_->GetObject()) {
    bool known = false;
    const auto judge = [&](const Subschema& schema) {
      known = true;
      all = MemberUnder(schema, member) && all;
    };
    const auto found = named.find(TextOf(member.name));
    if (found != named.end()) judge(*found->second);
    constraint.applyToPatternProperties([&](const auto& pattern, const Subschema* schema) {
      if (MatchesPattern(std::string(View(pattern)), TextOf(member.name))) judge(*schema);
      return !exhausted_;
    });
    if (!known && rest == nullptr) {
      all = Fail(absl::StrCat("additionalProperties: no ", base::Shorten(TextOf(member.name))));
    }
    if (!known && rest != nullptr) all = MemberUnder(*rest, member) && all;
    if ((!all && quiet_ > 0) || !Spend(1)) return false;
  }
  return all;
}

}  // namespace cdgate::schema
