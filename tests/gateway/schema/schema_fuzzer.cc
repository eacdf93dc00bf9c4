// Compiles the first line as a JSON Schema, beside one that it can refer to, and judges the
// rest by it. Nothing may crash, hang or depend on what was compiled before.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/event/json_parser.h"
#include "gateway/schema/schema_set.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  namespace schema = cdgate::schema;
  const std::string input(reinterpret_cast<const char*>(bytes), size);
  const size_t line = input.find('\n');
  const std::vector<schema::SchemaDocument> documents = {
      {"urn:a", input.substr(0, line)},
      {"urn:b", R"({"$defs":{"s":{"pattern":"^a"}},"items":{"$ref":"#/$defs/s"}})"}};
  const auto compiled = schema::SchemaSet::Compile(documents);
  if (compiled.set->size() + compiled.refused.size() != documents.size()) std::abort();
  const std::string data = line == std::string::npos ? "{}" : input.substr(line + 1);
  static auto* const parser = new cdgate::event::JsonParser();
  if (!parser->ParseIJson(data).ok()) return 0;
  const auto verdict = compiled.set->Check("urn:a", data);
  if (verdict.faults.empty() != (verdict.result != schema::Verdict::kInvalid)) std::abort();
  const auto again = schema::SchemaSet::Compile(documents, compiled.set.get());
  if (again.set->Check("urn:a", data).result != verdict.result) std::abort();
  return 0;
}
