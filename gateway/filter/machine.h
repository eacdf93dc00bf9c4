// Runs the instructions of a program on one event. Internal to the library.
//
// A machine is made for one evaluation. Every instruction is total: what fails pushes
// the failed zero of its type, and an operator with a failed operand gives the failed
// zero of its own, without another error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/filter/code.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/program.h"
#include "gateway/filter/state.h"

namespace cdgate::filter {

class Machine {
 public:
  // `errors` and `reads` may be null. With `stop_at_error` Run ends at the first error.
  Machine(const Code& code, EventContext& event, bool stop_at_error, std::vector<EvalError>* errors,
          std::vector<ValueRead>* reads);

  // The result; meaningless after a stop at an error.
  Value Run();

  const EvalError& first_error() const { return first_error_; }
  bool failed() const { return static_cast<bool>(first_error_); }

 private:
  // Runs one instruction, and returns where to go on.
  uint32_t Step(const Instruction& at, uint32_t next);
  uint32_t Jump(const Instruction& at, uint32_t next);
  void Try(const Instruction& at);
  void TryEnd(const Instruction& at);
  // Something failed within kTry: goes on at its end.
  uint32_t GiveUpTry();

  // Operators; each leaves its result on the stack.
  void Not(const Instruction& at);
  void Negate(const Instruction& at);
  void Arithmetic(const Instruction& at);
  void Order(const Instruction& at);
  void Equality(const Instruction& at);
  void Xor(const Instruction& at);
  void Like(const Instruction& at);
  void LikeText(const Instruction& at);
  void EqualText(const Instruction& at);
  void CompareText(const Instruction& at);
  void Combine(const Instruction& at, bool all);
  bool InTest(const Instruction& at);
  void InEnd(const Instruction& at);
  void InTexts(const Instruction& at);
  bool SameAsLeft(const Instruction& at, const Slot& left, Slot* element);

  // Reads of the event.
  void Attribute(const Instruction& at);
  void Exists(const Instruction& at);
  void HasData(const Instruction& at);
  // False where nothing is at the path and `or_else`; then nothing was pushed.
  bool Data(const Instruction& at, bool or_else);
  void PushLookup(const Instruction& at, DataLookup found, const Value& value);
  void Fact(const Instruction& at, FunctionId id);
  Value LabelAttribute(absl::string_view name);

  // Functions (machine_functions.cc).
  void Call(const Instruction& at);
  bool CastArguments(const Instruction& at, Slot* arguments);
  Value CallPure(const Instruction& at, FunctionId id, const Slot* arguments);
  Value FailCall(const Instruction& at, ErrorKind kind, absl::string_view detail,
                 const Value& result);
  Value Abs(const Instruction& at, int32_t x);
  Value Concat(const Instruction& at, const Slot* items, size_t count, absl::string_view separator);
  Value MapCase(const Instruction& at, absl::string_view text, uint32_t (*map)(uint32_t));
  Value Left(const Instruction& at, absl::string_view text, int32_t count);
  Value Right(const Instruction& at, absl::string_view text, int32_t count);
  Value Substring(const Instruction& at, absl::string_view text, int32_t position,
                  const Slot* length);
  // Room for a text that is built; null, with an error, where there is no more.
  char* Room(const Instruction& at, size_t size);

  // Casts in place; a failure leaves the failed zero of `target`.
  bool Cast(const Instruction& at, Slot* slot, Type target) {
    if (slot->value.type() == target && !slot->failed) return true;
    return CastOther(at, slot, target);
  }
  bool CastOther(const Instruction& at, Slot* slot, Type target);
  bool CastBoth(const Instruction& at, Slot* left, Slot* right, Type target);
  bool ToText(const Instruction& at, Slot* slot);

  void Push(const Value& value, bool failed = false) { *top_++ = {value, failed}; }
  Slot& Top() { return top_[-1]; }
  Slot& Pop() { return *--top_; }

  // Counts bytes that are touched; false, with an error, beyond the program's limit.
  bool Work(const Instruction& at, uint64_t bytes);
  bool WorkForEquality(const Instruction& at, const Slot& a, const Slot& b);
  bool WorkForLookup(const Instruction& at);
  EvalError& Fail(const Instruction& at, ErrorKind kind, absl::string_view detail = "");
  void NoteRead(const Instruction& at, const Value* value);

  const Code& code_;
  EventContext& event_;
  EvaluationState& state_;
  const bool stop_at_error_;
  std::vector<EvalError>* const errors_;
  std::vector<ValueRead>* const reads_;
  uint64_t work_left_;
  // The first free place of the stack.
  Slot* top_ = nullptr;
  bool call_failed_ = false;  // the function that runs
  EvalError first_error_;
  // The kTry that runs, and what was before it; dialects do not nest it.
  struct {
    uint32_t end = 0;  // of its instructions; 0: there is none
    Slot* top = nullptr;
    size_t errors = 0;
    EvalError first_error;
  } try_;
  EvalError ignored_;
};

}  // namespace cdgate::filter
