// The functions of the machine: standard ones, and what they read of the event.
#include <string.h>

#include <algorithm>

#include "gateway/filter/machine.h"
#include "gateway/filter/unicode.h"

namespace cdgate::filter {
namespace {

Type TypeOf(StaticType type) {
  switch (type) {
    case StaticType::kInteger: return Type::kInteger;
    case StaticType::kString: return Type::kString;
    default: return Type::kBoolean;
  }
}

absl::string_view Text(const Slot& slot) { return slot.value.string(); }

}  // namespace

void Machine::Call(const Instruction& at) {
  const auto id = static_cast<FunctionId>(at.a);
  const FunctionInfo& function = InfoOfFunction(id);
  if (!function.pure) return Fact(at, id);
  top_ -= at.count;
  Slot* const arguments = top_;
  if (!CastArguments(at, arguments)) {
    Push(Value::Zero(TypeOf(function.result)), true);
    return;
  }
  call_failed_ = false;
  const Value result = CallPure(at, id, arguments);
  Push(result, call_failed_);
}

// Each to its parameter's type, all of them, so that every error is found.
bool Machine::CastArguments(const Instruction& at, Slot* arguments) {
  const FunctionInfo& function = InfoOfFunction(static_cast<FunctionId>(at.a));
  bool good = true;
  uint64_t bytes = 0;
  for (size_t i = 0; i < at.count; ++i) {
    const Type type = TypeOf(function.parameters[std::min<size_t>(i, 2)]);
    good = Cast(at, &arguments[i], type) && good;
    bytes += Text(arguments[i]).size();
  }
  return good && Work(at, bytes);
}

Value Machine::CallPure(const Instruction& at, FunctionId id, const Slot* arguments) {
  switch (id) {
    case FunctionId::kLength:
      return Value::Integer(static_cast<int32_t>(CountCharacters(Text(arguments[0]))));
    case FunctionId::kConcat: return Concat(at, arguments, at.count, "");
    case FunctionId::kConcatWs: return Concat(at, arguments + 1, at.count - 1u, Text(arguments[0]));
    case FunctionId::kLower: return MapCase(at, Text(arguments[0]), ToLower);
    case FunctionId::kUpper: return MapCase(at, Text(arguments[0]), ToUpper);
    case FunctionId::kTrim: return Value::String(TrimWhiteSpace(Text(arguments[0])));
    case FunctionId::kLeft: return Left(at, Text(arguments[0]), arguments[1].value.integer());
    case FunctionId::kRight: return Right(at, Text(arguments[0]), arguments[1].value.integer());
    case FunctionId::kSubstring:
      return Substring(at, Text(arguments[0]), arguments[1].value.integer(),
                       at.count == 3 ? &arguments[2] : nullptr);
    case FunctionId::kAbs: return Abs(at, arguments[0].value.integer());
    default: return arguments[0].value;  // INT, BOOL, STRING: the cast was all
  }
}

Value Machine::FailCall(const Instruction& at, ErrorKind kind, absl::string_view detail,
                        const Value& result) {
  Fail(at, kind, detail);
  call_failed_ = true;
  return result;
}

Value Machine::Abs(const Instruction& at, int32_t x) {
  if (x == INT32_MIN) {
    return FailCall(at, ErrorKind::kMath, "the result has more than 32 bits",
                    Value::Integer(INT32_MAX));
  }
  return Value::Integer(x < 0 ? -x : x);
}

Value Machine::Concat(const Instruction& at, const Slot* items, size_t count,
                      absl::string_view separator) {
  if (count == 0) return Value::String("");
  size_t size = separator.size() * (count - 1);
  for (size_t i = 0; i < count; ++i) size += Text(items[i]).size();
  char* const text = Room(at, size);
  if (text == nullptr) {
    call_failed_ = true;
    return Value::String("");
  }
  char* out = text;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out = std::copy(separator.begin(), separator.end(), out);
    out = std::copy(Text(items[i]).begin(), Text(items[i]).end(), out);
  }
  return Value::String({text, size});
}

Value Machine::MapCase(const Instruction& at, absl::string_view text, uint32_t (*map)(uint32_t)) {
  // The other case of a character of two bytes may have three.
  char* const mapped = Room(at, text.size() + text.size() / 2);
  if (mapped == nullptr) {
    call_failed_ = true;
    return Value::String("");
  }
  size_t size = 0;
  while (!text.empty()) {
    const Character c = DecodeFirst(text);
    if (c.valid) {
      size += Encode(map(c.code), mapped + size);
    } else {
      mapped[size++] = text[0];
    }
    text.remove_prefix(c.size);
  }
  return Value::String({mapped, size});
}

Value Machine::Left(const Instruction& at, absl::string_view text, int32_t count) {
  if (count < 0) {
    return FailCall(at, ErrorKind::kFunctionEvaluation, "the number of characters is negative",
                    Value::String(text));
  }
  return Value::String(text.substr(0, OffsetOfCharacter(text, static_cast<size_t>(count))));
}

Value Machine::Right(const Instruction& at, absl::string_view text, int32_t count) {
  if (count < 0) {
    return FailCall(at, ErrorKind::kFunctionEvaluation, "the number of characters is negative",
                    Value::String(text));
  }
  const size_t length = CountCharacters(text);
  const size_t wanted = static_cast<size_t>(count);
  if (wanted >= length) return Value::String(text);
  return Value::String(text.substr(OffsetOfCharacter(text, length - wanted)));
}

// `position` counts from 1, or from the end where it is negative.
Value Machine::Substring(const Instruction& at, absl::string_view text, int32_t position,
                         const Slot* length) {
  const auto characters = static_cast<int64_t>(CountCharacters(text));
  if (position > characters || position < -characters) {
    return FailCall(at, ErrorKind::kFunctionEvaluation, "the position is outside the text",
                    Value::String(""));
  }
  if (length != nullptr && length->value.integer() < 0) {
    return FailCall(at, ErrorKind::kFunctionEvaluation, "the length is negative",
                    Value::String(""));
  }
  if (position == 0) return Value::String("");
  const int64_t begin = position > 0 ? position - 1 : characters + position;
  text.remove_prefix(OffsetOfCharacter(text, static_cast<size_t>(begin)));
  if (length == nullptr) return Value::String(text);
  const auto wanted = static_cast<size_t>(length->value.integer());
  return Value::String(text.substr(0, OffsetOfCharacter(text, wanted)));
}

// What is known of the event beside its attributes.
void Machine::Fact(const Instruction& at, FunctionId id) {
  Value value;
  switch (id) {
    case FunctionId::kSubjectType: value = Value::String(event_.subject_type()); break;
    case FunctionId::kPredicate: value = Value::String(event_.predicate()); break;
    case FunctionId::kStage: value = Value::String(event_.stage()); break;
    case FunctionId::kOrigin: value = Value::String(event_.origin()); break;
    case FunctionId::kHops:
      value = Value::Integer(static_cast<int32_t>(std::min<uint32_t>(event_.hops(), INT32_MAX)));
      break;
    case FunctionId::kPlane: value = Value::String(event_.plane()); break;
    case FunctionId::kClassification: value = Value::String(event_.classification()); break;
    case FunctionId::kRegulation: value = LabelAttribute("dataregulation"); break;
    case FunctionId::kCategory: value = LabelAttribute("datacategory"); break;
    default: {
      const DataLookup found = event_.SpecVersion(&value);
      if (found != DataLookup::kFound) return PushLookup(at, found, value);
      break;
    }
  }
  if (reads_ != nullptr) NoteRead(at, &value);
  Push(value);
}

// A label that is not there is empty: an event without one is an ordinary event.
Value Machine::LabelAttribute(absl::string_view name) {
  const Value label = event_.Find(AttributeId::kOther, name).value_or(Value::String(""));
  return label.type() == Type::kString ? label : Value::String("");
}

}  // namespace cdgate::filter
