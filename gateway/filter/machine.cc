#include "gateway/filter/machine.h"

#include <string.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"

namespace cdgate::filter {
namespace {

constexpr Value kFalse = Value::Boolean(false);

// Errors that one evaluation reports at the most.
constexpr size_t kMaxErrors = 100;

// The mathematical result of 64 bits, if it is one of 32.
std::optional<int32_t> Narrow(int64_t value) {
  if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<int32_t>(value);
}

bool Holds(Op op, int32_t x, int32_t y) {
  switch (op) {
    case Op::kLess: return x < y;
    case Op::kLessEqual: return x <= y;
    case Op::kGreater: return x > y;
    default: return x >= y;
  }
}

// None where the divisor is 0 or the result has more than 32 bits.
std::optional<int32_t> Compute(Op op, int64_t x, int64_t y) {
  switch (op) {
    case Op::kAdd: return Narrow(x + y);
    case Op::kSubtract: return Narrow(x - y);
    case Op::kMultiply: return Narrow(x * y);
    case Op::kDivide: return y == 0 ? std::nullopt : Narrow(x / y);
    default: return y == 0 ? std::nullopt : Narrow(x % y);
  }
}

}  // namespace

Machine::Machine(const Code& code, EventContext& event, bool stop_at_error,
                 std::vector<EvalError>* errors, std::vector<ValueRead>* reads)
    : code_(code),
      event_(event),
      state_(event.state()),
      stop_at_error_(stop_at_error),
      errors_(errors),
      reads_(reads),
      work_left_(code.max_work) {
  if (state_.stack.size() < code.stack_size) state_.stack.resize(code.stack_size);
  state_.scratch.Clear();
  top_ = state_.stack.data();
}

Value Machine::Run() {
  const Instruction* const instructions = code_.instructions.data();
  const auto end = static_cast<uint32_t>(code_.instructions.size());
  for (uint32_t i = 0; i < end;) {
    i = Step(instructions[i], i + 1);
    if (!stop_at_error_ || !failed()) continue;
    if (try_.end == 0) return kFalse;
    i = GiveUpTry();
  }
  return Top().value;
}

uint32_t Machine::Step(const Instruction& at, uint32_t next) {
  switch (at.op) {
    case Op::kConstant: Push(code_.constants[at.a]); break;
    case Op::kAttribute: Attribute(at); break;
    case Op::kExists: Exists(at); break;
    case Op::kNot: Not(at); break;
    case Op::kNegate: Negate(at); break;
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo: Arithmetic(at); break;
    case Op::kEqual:
    case Op::kNotEqual: Equality(at); break;
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual: Order(at); break;
    case Op::kAndEnd: Combine(at, true); break;
    case Op::kOrEnd: Combine(at, false); break;
    case Op::kXor: Xor(at); break;
    case Op::kLike: Like(at); break;
    case Op::kLikeText: LikeText(at); break;
    case Op::kEqualText: EqualText(at); break;
    case Op::kCallEqualText:
      Fact(at, static_cast<FunctionId>(at.a));
      CompareText(at);
      break;
    case Op::kInEnd: InEnd(at); break;
    case Op::kInTexts: InTexts(at); break;
    case Op::kCall: Call(at); break;
    case Op::kTry: Try(at); break;
    case Op::kTryEnd: TryEnd(at); break;
    case Op::kData: Data(at, false); break;
    case Op::kHasData: HasData(at); break;
    case Op::kAndTest:
    case Op::kOrTest:
    case Op::kInTest:
    case Op::kDataOrElse: return Jump(at, next);
  }
  return next;
}

uint32_t Machine::Jump(const Instruction& at, uint32_t next) {
  switch (at.op) {
    case Op::kInTest: return InTest(at) ? at.b : next;
    case Op::kDataOrElse: return Data(at, true) ? at.b : next;
    default: break;
  }
  // A failed operand is false, so it ends an AND and not an OR.
  Cast(at, &Top(), Type::kBoolean);
  return Top().value.boolean() == (at.op == Op::kOrTest) ? at.b : next;
}

void Machine::Try(const Instruction& at) {
  try_ = {at.b, top_, errors_ != nullptr ? errors_->size() : 0, first_error_};
  first_error_ = {};
}

uint32_t Machine::GiveUpTry() {
  top_ = try_.top;
  Push(kFalse, true);
  return try_.end;
}

void Machine::TryEnd(const Instruction& at) {
  Slot& slot = Top();
  if (!Cast(at, &slot, Type::kBoolean) || failed()) slot = {kFalse, false};
  if (errors_ != nullptr) errors_->resize(try_.errors);
  first_error_ = try_.first_error;
  try_.end = 0;
}

// The conformance kit wants NOT to refuse integers, which other operators take, and to
// negate the false that a failed cast gives.
void Machine::Not(const Instruction& at) {
  Slot& slot = Top();
  if (slot.failed) {
    slot.value = kFalse;
  } else if (slot.value.type() == Type::kInteger) {
    EvalError& error = Fail(at, ErrorKind::kCast);
    error.operand = slot.value;
    error.target = Type::kBoolean;
    slot = {Value::Boolean(true), true};
  } else {
    Cast(at, &slot, Type::kBoolean);
    slot.value = Value::Boolean(!slot.value.boolean());
  }
}

void Machine::Negate(const Instruction& at) {
  Slot& slot = Top();
  if (!Cast(at, &slot, Type::kInteger)) return;
  const std::optional<int32_t> result = Narrow(-static_cast<int64_t>(slot.value.integer()));
  if (!result) Fail(at, ErrorKind::kMath, "the result has more than 32 bits");
  slot = {Value::Integer(result.value_or(0)), !result};
}

void Machine::Arithmetic(const Instruction& at) {
  Slot& right = Pop();
  Slot& left = Top();
  const bool cast = CastBoth(at, &left, &right, Type::kInteger);
  if (!cast) {
    left = {Value::Integer(0), true};
    return;
  }
  const std::optional<int32_t> result = Compute(at.op, left.value.integer(), right.value.integer());
  if (!result) {
    Fail(at, ErrorKind::kMath,
         right.value.integer() == 0 ? "division by zero" : "the result has more than 32 bits");
  }
  left = {Value::Integer(result.value_or(0)), !result};
}

void Machine::Order(const Instruction& at) {
  Slot& right = Pop();
  Slot& left = Top();
  const bool cast = CastBoth(at, &left, &right, Type::kInteger);
  left = {Value::Boolean(cast && Holds(at.op, left.value.integer(), right.value.integer())), !cast};
}

// The left operand becomes of the type of the right one (section 3.7).
void Machine::Equality(const Instruction& at) {
  Slot& right = Pop();
  Slot& left = Top();
  bool equal = false;
  const bool failed =
      right.failed || !Cast(at, &left, right.value.type()) || !WorkForEquality(at, left, right);
  if (!failed) equal = left.value == right.value;
  left = {Value::Boolean(!failed && equal == (at.op == Op::kEqual)), failed};
}

void Machine::Xor(const Instruction& at) {
  Slot& right = Pop();
  Slot& left = Top();
  const bool cast = CastBoth(at, &left, &right, Type::kBoolean);
  left = {Value::Boolean(cast && left.value.boolean() != right.value.boolean()), !cast};
}

// The end of AND or OR. The left operand alone did not decide, or it failed.
void Machine::Combine(const Instruction& at, bool all) {
  Slot& right = Pop();
  Slot& left = Top();
  const bool failed = !Cast(at, &right, Type::kBoolean) || left.failed;
  const bool result = all ? left.value.boolean() && right.value.boolean()
                          : left.value.boolean() || right.value.boolean();
  left = {Value::Boolean(!failed && result), failed};
}

void Machine::Like(const Instruction& at) {
  Slot& slot = Top();
  const LikePattern& pattern = code_.patterns[at.op == Op::kLike ? at.a : at.b];
  const bool cast =
      Cast(at, &slot, Type::kString) && Work(at, pattern.WorkFor(slot.value.string().size()));
  slot = {Value::Boolean(cast && pattern.Matches(slot.value.string()) != at.flag), !cast};
}

void Machine::LikeText(const Instruction& at) {
  Attribute(at);
  Like(at);
}

void Machine::EqualText(const Instruction& at) {
  Attribute(at);
  CompareText(at);
}

// The top against the constant b, a string.
void Machine::CompareText(const Instruction& at) {
  Slot& slot = Top();
  const absl::string_view text = code_.constants[at.b].string();
  const bool cast = Cast(at, &slot, Type::kString) && Work(at, text.size());
  slot = {Value::Boolean(cast && (slot.value.string() == text) != at.flag), !cast};
}

// Pops an element of the set. True where it equals the value before the set, which the
// result then replaces.
bool Machine::InTest(const Instruction& at) {
  Slot& element = Pop();
  Slot& left = Top();
  if (element.failed) left.failed = true;
  if (left.failed || !SameAsLeft(at, left, &element)) return false;
  left.value = Value::Boolean(!at.flag);
  return true;
}

// No element was equal.
void Machine::InEnd(const Instruction& at) {
  Top() = {Value::Boolean(at.flag && !Top().failed), Top().failed};
}

void Machine::InTexts(const Instruction& at) {
  Attribute(at);
  for (size_t i = 0; i < at.count; ++i) {
    Push(code_.constants[at.b + i]);
    if (InTest(at)) return;
  }
  InEnd(at);
}

// The element becomes of the type of the left operand (section 3.4.5).
bool Machine::SameAsLeft(const Instruction& at, const Slot& left, Slot* element) {
  if (Cast(at, element, left.value.type()) && WorkForEquality(at, left, *element)) {
    return element->value == left.value;
  }
  Top().failed = true;
  return false;
}

void Machine::Attribute(const Instruction& at) {
  const AttributeName& name = code_.names[at.a];
  const std::optional<Value> value = event_.Find(name.id, name.name);
  if (reads_ != nullptr) NoteRead(at, value ? &*value : nullptr);
  if (!value) Fail(at, ErrorKind::kMissingAttribute);
  Push(value.value_or(kFalse), !value);
}

void Machine::Exists(const Instruction& at) {
  const AttributeName& name = code_.names[at.a];
  const Value exists = Value::Boolean(event_.Find(name.id, name.name).has_value());
  // An implied one says no more than the value itself, where there is one.
  if (reads_ != nullptr && !at.flag) NoteRead(at, &exists);
  if (reads_ != nullptr && at.flag && !exists.boolean()) NoteRead(at, nullptr);
  Push(exists);
}

bool Machine::Data(const Instruction& at, bool or_else) {
  Value value;
  if (!WorkForLookup(at)) {
    Push(kFalse, true);
    return true;
  }
  const DataLookup found = event_.FindData(code_.paths[at.a], &value);
  if (reads_ != nullptr) NoteRead(at, found == DataLookup::kFound ? &value : nullptr);
  if (or_else && found == DataLookup::kAbsent) return false;
  PushLookup(at, found, value);
  return true;
}

void Machine::PushLookup(const Instruction& at, DataLookup found, const Value& value) {
  switch (found) {
    case DataLookup::kFound: return Push(value);
    case DataLookup::kAbsent: Fail(at, ErrorKind::kMissingAttribute); break;
    case DataLookup::kNoValue:
      Fail(at, ErrorKind::kFunctionEvaluation,
           "there is an object, an array or a number that is no integer of 64 bits");
      break;
    case DataLookup::kNoJson:
      Fail(at, ErrorKind::kFunctionEvaluation, "the event's data is not JSON");
      break;
  }
  Push(kFalse, true);
}

void Machine::HasData(const Instruction& at) {
  if (!WorkForLookup(at)) return Push(kFalse, true);
  const DataLookup found = event_.HasData(code_.paths[at.a]);
  if (found == DataLookup::kNoJson) return PushLookup(at, found, kFalse);
  const Value has = Value::Boolean(found == DataLookup::kFound);
  if (reads_ != nullptr) NoteRead(at, &has);
  Push(has);
}

bool Machine::CastOther(const Instruction& at, Slot* slot, Type target) {
  if (slot->failed) {
    slot->value = Value::Zero(target);
    return false;
  }
  const Value value = slot->value;
  if (target == Type::kString) return ToText(at, slot);
  if (value.type() != Type::kString) {
    slot->value = target == Type::kInteger ? Value::Integer(value.boolean() ? 1 : 0)
                                           : Value::Boolean(value.integer() != 0);
    return true;
  }
  const std::optional<Value> cast = CastText(value.string(), target);
  if (cast) {
    slot->value = *cast;
    return true;
  }
  EvalError& error = Fail(at, ErrorKind::kCast);
  error.operand = value;
  error.target = target;
  *slot = {Value::Zero(target), true};
  return false;
}

// Both, so that every error is found.
bool Machine::CastBoth(const Instruction& at, Slot* left, Slot* right, Type target) {
  const bool first = Cast(at, left, target);
  return Cast(at, right, target) && first;
}

bool Machine::ToText(const Instruction& at, Slot* slot) {
  if (slot->value.type() == Type::kBoolean) {
    slot->value = Value::String(slot->value.boolean() ? "true" : "false");
    return true;
  }
  char digits[absl::numbers_internal::kFastToBufferSize];
  absl::numbers_internal::FastIntToBuffer(slot->value.integer(), digits);
  const size_t size = strlen(digits);
  char* text = Room(at, size);
  if (text == nullptr) {
    *slot = {Value::String(""), true};
    return false;
  }
  memcpy(text, digits, size);
  slot->value = Value::String({text, size});
  return true;
}

bool Machine::Work(const Instruction& at, uint64_t bytes) {
  if (bytes <= work_left_) {
    work_left_ -= bytes;
    return true;
  }
  work_left_ = 0;
  Fail(at, ErrorKind::kGeneric, "the evaluation would touch too much text");
  return false;
}

// Texts of different sizes are not compared further.
bool Machine::WorkForEquality(const Instruction& at, const Slot& a, const Slot& b) {
  return Work(at, std::min(a.value.string().size(), b.value.string().size()));
}

// A look into the data passes over members, in the worst case most of them.
bool Machine::WorkForLookup(const Instruction& at) {
  return Work(at, 64 + event_.data().size() / 8);
}

char* Machine::Room(const Instruction& at, size_t size) {
  char* room = state_.scratch.Allocate(size);
  if (room == nullptr) Fail(at, ErrorKind::kGeneric, "the evaluation would build too much text");
  return room;
}

EvalError& Machine::Fail(const Instruction& at, ErrorKind kind, absl::string_view detail) {
  const EvalError error{.kind = kind, .begin = at.begin, .end = at.end, .detail = detail};
  if (!first_error_) {
    first_error_ = error;
    if (errors_ == nullptr) return first_error_;
  }
  if (errors_ == nullptr || errors_->size() >= kMaxErrors) return ignored_ = error;
  errors_->push_back(error);
  return errors_->back();
}

void Machine::NoteRead(const Instruction& at, const Value* value) {
  const absl::string_view expression =
      absl::string_view(code_.source).substr(at.begin, at.end - at.begin);
  std::string text = "absent";
  if (value != nullptr && value->type() == Type::kString) {
    text = absl::StrCat("'", base::Shorten(value->string()), "'");
  } else if (value != nullptr) {
    text = value->ToString();
  }
  for (const ValueRead& read : *reads_) {
    if (read.expression == expression) return;
  }
  reads_->push_back({std::string(expression), std::move(text)});
}

}  // namespace cdgate::filter
