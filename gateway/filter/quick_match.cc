// The shortest way through a condition that compares texts of the event, as nearly all
// conditions of policies do: no errors, no casts, and booleans in the bits of a word.
#include <optional>

#include "gateway/filter/code.h"

namespace cdgate::filter {
namespace {

// Texts beyond this are left to the machine, which counts its work.
constexpr size_t kMaxText = 1024;
constexpr size_t kMaxDepth = 64;

class QuickMatcher {
 public:
  QuickMatcher(const Code& code, EventContext& event) : code_(code), event_(event) {}

  QuickMatch Run() {
    const Instruction* const begin = code_.instructions.data();
    const Instruction* const end = begin + code_.instructions.size();
    for (const Instruction* at = begin; at < end; ++at) {
      switch (at->op) {
        case Op::kEqualText:
          if (!ReadAttribute(*at)) return QuickMatch::kUnknown;
          Push((text_ == code_.constants[at->b].string()) != at->flag);
          break;
        case Op::kLikeText:
          if (!code_.patterns[at->b].linear() || !ReadAttribute(*at)) return QuickMatch::kUnknown;
          Push(code_.patterns[at->b].Matches(text_) != at->flag);
          break;
        case Op::kInTexts:
          if (!ReadAttribute(*at)) return QuickMatch::kUnknown;
          Push(IsIn(*at) != at->flag);
          break;
        case Op::kCallEqualText:
          if (!ReadFact(static_cast<FunctionId>(at->a))) return QuickMatch::kUnknown;
          Push((text_ == code_.constants[at->b].string()) != at->flag);
          break;
        // Nothing fails on this way.
        case Op::kTry:
        case Op::kTryEnd: break;
        case Op::kExists: Push(Find(*at).has_value()); break;
        case Op::kHasData:
          if (!PushHasData(*at)) return QuickMatch::kUnknown;
          break;
        case Op::kData:
        case Op::kDataOrElse: {
          const size_t steps = CompareData(at, static_cast<size_t>(end - at));
          if (steps == 0) return QuickMatch::kUnknown;
          at += steps - 1;
          break;
        }
        case Op::kNot: booleans_ ^= 1; break;
        // What is left of AND is true, and of OR false, where the right side counts.
        case Op::kAndEnd:
        case Op::kOrEnd: booleans_ = (booleans_ >> 2 << 1) | (booleans_ & 1); break;
        case Op::kAndTest:
          if ((booleans_ & 1) == 0) at = begin + at->b - 1;
          break;
        case Op::kOrTest:
          if ((booleans_ & 1) != 0) at = begin + at->b - 1;
          break;
        default: return QuickMatch::kUnknown;
      }
    }
    return (booleans_ & 1) != 0 ? QuickMatch::kYes : QuickMatch::kNo;
  }

 private:
  void Push(bool value) { booleans_ = booleans_ << 1 | (value ? 1 : 0); }

  std::optional<Value> Find(const Instruction& at) {
    const AttributeName& name = code_.names[at.a];
    return event_.Find(name.id, name.name);
  }

  // False where there is no text.
  bool ReadAttribute(const Instruction& at) {
    const std::optional<Value> value = Find(at);
    if (!value || value->type() != Type::kString) return false;
    text_ = value->string();
    return text_.size() <= kMaxText;
  }

  // False where the data is not JSON.
  bool PushHasData(const Instruction& at) {
    const DataLookup found = event_.HasData(code_.paths[at.a]);
    if (found == DataLookup::kNoJson) return false;
    Push(found == DataLookup::kFound);
    return true;
  }

  const Value* TextAt(const Instruction& at) const {
    if (at.op != Op::kConstant) return nullptr;
    const Value& value = code_.constants[at.a];
    return value.type() == Type::kString && value.string().size() <= kMaxText ? &value : nullptr;
  }

  // CDEVENT(path) = 'text' and CDEVENT(path, 'default') = 'text': how many instructions they
  // are, or 0 where it is something else, or the value is no text.
  size_t CompareData(const Instruction* at, size_t left) {
    const bool or_else = at->op == Op::kDataOrElse;
    const size_t steps = or_else ? 4 : 3;
    if (left < steps) return 0;
    const Instruction& compare = at[steps - 1];
    const Value* const text = TextAt(at[steps - 2]);
    const Value* const otherwise = or_else ? TextAt(at[1]) : nullptr;
    const bool known = compare.op == Op::kEqual || compare.op == Op::kNotEqual;
    const auto next = static_cast<size_t>(at - code_.instructions.data()) + 2;
    if (!known || text == nullptr || (or_else && (otherwise == nullptr || at->b != next))) return 0;
    Value value;
    const DataLookup found = event_.FindData(code_.paths[at->a], &value);
    if (found == DataLookup::kAbsent && otherwise != nullptr) {
      value = *otherwise;
    } else if (found != DataLookup::kFound || value.type() != Type::kString ||
               value.string().size() > kMaxText) {
      return 0;
    }
    Push((value.string() == text->string()) == (compare.op == Op::kEqual));
    return steps;
  }

  bool ReadFact(FunctionId id) {
    switch (id) {
      case FunctionId::kSubjectType: text_ = event_.subject_type(); break;
      case FunctionId::kPredicate: text_ = event_.predicate(); break;
      case FunctionId::kStage: text_ = event_.stage(); break;
      case FunctionId::kOrigin: text_ = event_.origin(); break;
      case FunctionId::kPlane: text_ = event_.plane(); break;
      default: return false;
    }
    return text_.size() <= kMaxText;
  }

  bool IsIn(const Instruction& at) const {
    for (size_t i = 0; i < at.count; ++i) {
      if (code_.constants[at.b + i].string() == text_) return true;
    }
    return false;
  }

  const Code& code_;
  EventContext& event_;
  uint64_t booleans_ = 0;  // the top of the stack in the lowest bit
  absl::string_view text_;
};

}  // namespace

QuickMatch MatchQuickly(const Code& code, EventContext& event) {
  if (code.stack_size > kMaxDepth) return QuickMatch::kUnknown;
  return QuickMatcher(code, event).Run();
}

}  // namespace cdgate::filter
