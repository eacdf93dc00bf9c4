// Compiles the first line as a filter and evaluates it on an event whose data is the rest.
// Nothing may crash, hang or depend on how it is evaluated.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "gateway/filter/analysis.h"
#include "gateway/filter/program.h"
#include "gateway/filter/type_reach.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace filter = cdgate::filter;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.find('\n');
  const absl::string_view source = input.substr(0, line);
  static filter::EventContext* const event = new filter::EventContext();
  const filter::Attribute attributes[] = {{"subject", filter::Value::String(source.substr(0, 20))},
                                          {"flag", filter::Value::Boolean(true)},
                                          {"count", filter::Value::Integer(7)}};
  filter::EventParts parts;
  parts.id = "1";
  parts.source = "/fuzz";
  parts.type = source;
  parts.attributes = attributes;
  if (line != absl::string_view::npos) parts.data = input.substr(line + 1);
  event->Reset(parts);

  filter::EvaluateSource(source, *event);
  const auto program = filter::Program::Compile(source, {.condition = false});
  const auto condition = filter::Program::Compile(source);
  // A condition is an expression of which more is asked.
  if (condition.ok() && !program.ok()) std::abort();
  filter::Analyse(source);
  if (!program.ok()) return 0;
  std::vector<filter::EvalError> errors;
  std::vector<filter::ValueRead> reads;
  const filter::Value value = program->Evaluate(*event, &errors, &reads);
  const bool expected = errors.empty() && value.type() == filter::Type::kBoolean && value.boolean();
  filter::MatchError error;
  if (program->Matches(*event, &error) != expected) std::abort();
  if (!expected && errors.empty() && value.type() == filter::Type::kBoolean && error) std::abort();
  if (!errors.empty() && error.kind != errors.front().kind) std::abort();
  for (const filter::EvalError& each : errors) program->MessageOf(each);
  if (!condition.ok()) return 0;
  if (condition->Matches(*event) != expected) std::abort();
  const auto reach = filter::TypeReach::Of(source);
  if (!reach.ok() || (expected && !reach->MayMatch(parts.type))) std::abort();
  if (*filter::IsAndOf(source, source) != filter::AndRelation::kBaseFirst) std::abort();
  return 0;
}
