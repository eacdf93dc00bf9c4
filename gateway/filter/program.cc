#include "gateway/filter/program.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/status_macros.h"
#include "gateway/filter/check.h"
#include "gateway/filter/code.h"
#include "gateway/filter/lexer.h"
#include "gateway/filter/machine.h"
#include "gateway/filter/parser.h"

namespace cdgate::filter {

absl::StatusOr<Program> Program::Compile(absl::string_view source, const CompileOptions& options) {
  auto code = std::make_shared<Code>();
  code->source = std::string(source);
  CDGATE_ASSIGN_OR_RETURN(Ast ast, Parse(code->source, options));
  CDGATE_RETURN_IF_ERROR(Check(code->source, options, &ast));
  code->max_work = options.max_work;
  Emit(ast, ast.root, code.get());
  if (code->instructions.size() > options.max_steps) {
    return SourceError(code->source, 0, ErrorKind::kParse,
                       absl::StrCat("the expression has more than ", options.max_steps, " steps"));
  }
  const Node& root = ast.nodes[ast.root];
  code->type = root.type;
  if (root.kind == NodeKind::kLiteral) code->constant = root.literal;
  // The elements of a deque stay where they are when it is moved.
  code->texts = std::move(ast.texts);
  return Program(std::move(code));
}

bool Program::Matches(EventContext& event, MatchError* error) const {
  const QuickMatch quick = MatchQuickly(*code_, event);
  if (quick == QuickMatch::kUnknown) return MatchesByMachine(event, error);
  if (error != nullptr) error->kind = ErrorKind::kNone;
  return quick == QuickMatch::kYes;
}

bool Program::MatchesByMachine(EventContext& event, MatchError* error) const {
  Machine machine(*code_, event, true, nullptr, nullptr);
  const Value value = machine.Run();
  if (error != nullptr) *error = machine.first_error();
  if (machine.failed()) return false;
  if (value.type() == Type::kBoolean) return value.boolean();
  if (error != nullptr) {
    *error = {.kind = ErrorKind::kCast,
              .end = static_cast<uint32_t>(code_->source.size()),
              .operand = value,
              .target = Type::kBoolean};
  }
  return false;
}

Value Program::Evaluate(EventContext& event, std::vector<EvalError>* errors,
                        std::vector<ValueRead>* reads) const {
  return Machine(*code_, event, false, errors, reads).Run();
}

const std::string& Program::source() const { return code_->source; }
size_t Program::steps() const { return code_->instructions.size(); }
std::optional<Type> Program::type() const {
  switch (code_->type) {
    case StaticType::kBoolean: return Type::kBoolean;
    case StaticType::kInteger: return Type::kInteger;
    case StaticType::kString: return Type::kString;
    case StaticType::kAny: break;
  }
  return std::nullopt;
}

const Value* Program::constant() const { return code_->constant ? &*code_->constant : nullptr; }

Position Program::PositionOf(const EvalError& error) const {
  return PositionAt(code_->source, error.begin);
}

std::string Program::MessageOf(const EvalError& error) const {
  return ErrorMessage(code_->source, error);
}

Evaluation EvaluateSource(absl::string_view source, EventContext& event) {
  Evaluation out;
  const absl::StatusOr<Program> program = Program::Compile(source, {.condition = false});
  if (!program.ok()) {
    out.value = Value().ToString();
    const SourceProblem problem = SourceProblemOf(program.status());
    out.problems.push_back({problem.kind, problem.position, problem.message});
    return out;
  }
  std::vector<EvalError> errors;
  const Value value = program->Evaluate(event, &errors);
  out.type = value.type();
  out.value = value.ToString();
  for (const EvalError& error : errors) {
    out.problems.push_back({error.kind, program->PositionOf(error), program->MessageOf(error)});
  }
  return out;
}

}  // namespace cdgate::filter
