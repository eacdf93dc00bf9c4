#include "gateway/schema/schema_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "tests/support/status_matchers.h"

namespace cdgate::schema {
namespace {

using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kUri[] = "https://alpha.example/schema/build";

SchemaSet::Compiled CompileAll(const std::vector<SchemaDocument>& documents,
                               const SchemaSet* before = nullptr) {
  return SchemaSet::Compile(documents, before);
}

SchemaSet::Compiled CompileOne(const std::string& text) { return CompileAll({{kUri, text}}); }

absl::Status Refusal(const std::string& text) {
  const auto compiled = CompileOne(text);
  return compiled.refused.empty() ? absl::OkStatus() : compiled.refused[0].second;
}

Verdict Judge(const std::string& text, const std::string& data) {
  const auto compiled = CompileOne(text);
  for (const auto& [uri, status] : compiled.refused) ADD_FAILURE() << status;
  return compiled.set->Check(kUri, data);
}

bool Holds(const std::string& text, const std::string& data) {
  return Judge(text, data).result == Verdict::kValid;
}

std::vector<std::string> FaultsOf(const std::string& text, const std::string& data) {
  std::vector<std::string> out;
  for (const Fault& fault : Judge(text, data).faults) out.push_back(cdevents::ToText(fault));
  return out;
}

TEST(SchemaSetTest, WhatIsNotRegisteredIsUnresolved) {
  EXPECT_EQ(SchemaSet().Check(kUri, "{}").result, Verdict::kUnresolved);
  const auto compiled = CompileOne("{}");
  EXPECT_EQ(compiled.set->Check("https://alpha.example/schema/buil", "{}").result,
            Verdict::kUnresolved);
  EXPECT_EQ(compiled.set->Check("", "{}").result, Verdict::kUnresolved);
  EXPECT_EQ(compiled.set->Check(kUri, "{}").result, Verdict::kValid);
}

TEST(SchemaSetTest, FaultsNameThePlaceTheRuleAndTheValue) {
  const std::string schema = R"({"properties": {"a/b": {"items": {"maxLength": 2}},
      "n": {"minimum": 3, "multipleOf": 2}, "k": {"enum": ["x", 1]}},
      "required": ["z"], "additionalProperties": false})";
  EXPECT_THAT(FaultsOf(schema, R"({"a/b": ["ok", "long"], "n": 1, "k": {}, "q": null})"),
              testing::UnorderedElementsAre(
                  "/a~1b/1: maxLength 2, found \"long\"", "/n: minimum 3, found 1",
                  "/n: multipleOf 2, found 1", "/k: enum, found an object of 0",
                  "the data: required z, found an object of 4",
                  "the data: additionalProperties: no q, found an object of 4"));
}

TEST(SchemaSetTest, TellsTheFirstFaultsOnly) {
  std::string data = "[0";
  for (int i = 0; i < 100; ++i) data += ",0";
  EXPECT_EQ(Judge(R"({"items": {"type": "string"}})", data + "]").faults.size(), kMaxFaults);
}

TEST(SchemaSetTest, FaultsOfAlternativesAreOne) {
  EXPECT_THAT(FaultsOf(R"({"anyOf": [{"type": "string"}, {"minimum": 5}]})", "1"),
              ElementsAre("the data: anyOf: none of them holds, found 1"));
  EXPECT_THAT(FaultsOf(R"({"not": {"type": "integer"}})", "1"),
              ElementsAre("the data: not: it holds, found 1"));
  EXPECT_THAT(FaultsOf(R"({"if": {"type": "integer"}, "then": {"minimum": 2}})", "1"),
              ElementsAre("the data: minimum 2, found 1"));
}

TEST(SchemaSetTest, KeywordsThatWouldBeIgnoredAreRefusedByName) {
  for (const char* keyword :
       {"unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "$anchor",
        "prefixItems", "dependentSchemas", "dependentRequired", "minContains", "maxContains",
        "divisibleBy", "propertyOrder"}) {
    const std::string schema =
        absl::StrCat(R"({"properties": {"a": {")", keyword, R"(": false}}})");
    EXPECT_THAT(Refusal(schema),
                HasReasonAndMessage(
                    Reason::kSchemaUnsupported,
                    AllOf(HasSubstr(absl::StrCat("/properties/a/", keyword)), HasSubstr(kUri))))
        << keyword;
    // Also where nothing refers to it yet.
    EXPECT_THAT(Refusal(absl::StrCat(R"({"$defs": {"a": {")", keyword, R"(": false}}})")),
                HasReason(Reason::kSchemaUnsupported));
  }
}

TEST(SchemaSetTest, AnnotationsAreTolerated) {
  CDGATE_EXPECT_OK(Refusal(R"({"$schema": "https://json-schema.org/draft/2020-12/schema",
      "$id": "https://alpha.example/schema/build", "title": "t", "description": 7,
      "default": {}, "example": [1], "examples": 3, "$comment": "", "deprecated": true,
      "readOnly": true, "writeOnly": false, "x-cdevents-semantics": {"a": []},
      "contentEncoding": "base64", "contentMediaType": "text/plain"})"));
}

TEST(SchemaSetTest, MalformedSchemasAreRefusedWithThePlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "root"},
      {"{", "root"},
      {"3", "root"},
      {R"({"a": 1, "a": 2})", "root"},
      {R"({"type": "strin"})", "/type"},
      {R"({"type": []})", "/type"},
      {R"({"minLength": -1})", "/minLength"},
      {R"({"maximum": 9007199254740993})", "/maximum"},
      {R"({"multipleOf": 0})", "/multipleOf"},
      {R"({"required": "a"})", "/required"},
      {R"({"enum": []})", "/enum"},
      {R"({"properties": []})", "/properties"},
      {R"({"properties": {"a": 3}})", "/properties/a"},
      {R"({"allOf": []})", "/allOf"},
      {R"({"allOf": {}})", "/allOf"},
      {R"({"uniqueItems": 1})", "/uniqueItems"},
      {R"({"format": "uri-template"})", "/format"},
      {R"({"$schema": "http://json-schema.org/draft-04/schema#"})", "/$schema"},
      {R"({"properties": {"a": {"$id": "x"}}})", "/properties/a/$id"},
      {R"({"$schema": "https://json-schema.org/draft/2020-12/schema", "items": [true]})", "/items"},
      {R"({"properties": {"a\u0000b": true}})", "/properties"},
  };
  for (const auto& [schema, place] : cases) {
    EXPECT_THAT(Refusal(schema), HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr(place)))
        << schema;
  }
}

TEST(SchemaSetTest, WhatStandsBesideAReferenceCounts) {
  const std::string rest = R"("$defs": {"a": {"minLength": 2}},
      "properties": {"x": {"$ref": "#/$defs/a", "maxLength": 3, "allOf": [{"pattern": "^a"}]}}})";
  const std::string schema = "{" + rest;
  EXPECT_TRUE(Holds(schema, R"({"x": "abc"})"));
  for (const char* wrong : {R"({"x": "a"})", R"({"x": "abcd"})", R"({"x": "bcd"})"}) {
    EXPECT_FALSE(Holds(schema, wrong)) << wrong;
  }
  EXPECT_THAT(Refusal(R"({"$schema": "http://json-schema.org/draft-07/schema#",)" + rest),
              HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr("/properties/x/$ref")));
}

TEST(SchemaSetTest, ReferencesGoDeeperByRecursion) {
  const std::string schema =
      R"({"properties": {"next": {"$ref": "#"}}, "additionalProperties": false})";
  EXPECT_TRUE(Holds(schema, R"({"next": {"next": {}}})"));
  EXPECT_THAT(FaultsOf(schema, R"({"next": {"next": {"x": 1}}})"),
              ElementsAre(HasSubstr("/next/next: additionalProperties: no x")));
}

TEST(SchemaSetTest, ReferencesThatLeadNowhereAreRefused) {
  for (const char* reference :
       {"#/$defs/b", "#b", "https://elsewhere.example/x", "file:///etc/passwd", "other", "#/x/9"}) {
    EXPECT_THAT(Refusal(absl::StrCat(R"({"x-y": [1], "$ref": ")", reference, "\"}")),
                HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr("/$ref")))
        << reference;
  }
}

TEST(SchemaSetTest, CirclesAtOneValueAreRefused) {
  for (const char* schema :
       {R"({"$ref": "#"})", R"({"allOf": [{"$ref": "#"}]})", R"({"not": {"$ref": "#"}})",
        R"({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"if": {"$ref": "#/$defs/a"}}},
            "items": {"$ref": "#/$defs/a"}})"}) {
    EXPECT_THAT(Refusal(schema),
                HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr("refers to itself")))
        << schema;
  }
}

TEST(SchemaSetTest, RefersToOtherRegisteredSchemas) {
  const SchemaDocument document{kUri, R"({"$id": "https://alpha.example/schema/v1/build",
                "properties": {"a": {"$ref": "links/link"}, "b": {"$ref": "/other#/$defs/%6e"}}})"};
  const SchemaDocument link{
      "https://alpha.example/schema/v1/links/link",
      R"({"$defs": {"s": {"type": "string"}}, "items": {"$ref": "#/$defs/s"}})"};
  const SchemaDocument other{"https://alpha.example/other", R"({"$defs": {"n": {"minimum": 1}}})"};
  const auto compiled = CompileAll({document, link, other});
  EXPECT_THAT(compiled.refused, testing::IsEmpty());
  EXPECT_EQ(compiled.set->Check(kUri, R"({"a": ["x"], "b": 1})").result, Verdict::kValid);
  EXPECT_EQ(compiled.set->Check(kUri, R"({"a": [1]})").result, Verdict::kInvalid);
  EXPECT_EQ(compiled.set->Check(kUri, R"({"b": 0})").result, Verdict::kInvalid);
  EXPECT_THAT(compiled.set->UsersOf(link.uri), ElementsAre(kUri));
  EXPECT_THAT(compiled.set->UsersOf(kUri), testing::IsEmpty());
  // The one that is referred to changes: the other is compiled again, too.
  const SchemaDocument wider{other.uri, R"({"$defs": {"n": {"minimum": 0}}})"};
  const auto after = CompileAll({document, link, wider}, compiled.set.get());
  EXPECT_EQ(after.set->Check(kUri, R"({"b": 0})").result, Verdict::kValid);
  // And where it goes, the one that needs it cannot stay.
  const auto without = CompileAll({document, link}, compiled.set.get());
  ASSERT_EQ(without.refused.size(), 1u);
  EXPECT_EQ(without.refused[0].first, kUri);
  EXPECT_FALSE(without.set->Has(kUri));
  EXPECT_TRUE(without.set->Has(link.uri));
}

TEST(SchemaSetTest, LimitsAreHeld) {
  const std::string large = "{\"x-a\": \"" + std::string(kMaxSchemaBytes, 'a') + "\"}";
  EXPECT_THAT(Refusal(large), HasReason(Reason::kTooLarge));
  for (const char* uri : {"", "build", "https://a.example/#x", "https://a example/", "x:"}) {
    const auto compiled = CompileAll({{uri, "{}"}});
    ASSERT_EQ(compiled.refused.size(), 1u) << uri;
    EXPECT_THAT(compiled.refused[0].second, HasReason(Reason::kInvalidArgument)) << uri;
  }
  std::vector<SchemaDocument> many;
  for (size_t i = 0; i <= kMaxSchemas; ++i) many.push_back({absl::StrCat("urn:s:", i), "{}"});
  const auto compiled = CompileAll(many);
  EXPECT_EQ(compiled.set->size(), kMaxSchemas);
  ASSERT_EQ(compiled.refused.size(), 1u);
  EXPECT_THAT(compiled.refused[0].second, HasReason(Reason::kTooLarge));
}

// d0 -> d1 -> … by references, each one value deeper.
std::string Chain(int length) {
  std::string schema = R"({"$ref": "#/$defs/d0", "$defs": {"end": {})";
  for (int i = 0; i < length; ++i) {
    const std::string next = i + 1 < length ? absl::StrCat("d", i + 1) : "end";
    absl::StrAppend(&schema, R"(, "d)", i, R"(": {"items": {"$ref": "#/$defs/)", next, "\"}}");
  }
  return schema + "}}";
}

// A thread's 8 MiB hold four times what the longest chain takes. Instrumented, a call takes
// some twenty times as much.
#if defined(__SANITIZE_ADDRESS__)
constexpr int kLongChain = 50;
#else
constexpr int kLongChain = 300;
#endif

TEST(SchemaSetTest, LongChainsOfReferencesAreRefusedBeforeTheyFillTheStack) {
  CDGATE_EXPECT_OK(Refusal(Chain(kLongChain)));
  EXPECT_THAT(Refusal(Chain(5000)),
              HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr("nest too deeply")));
}

TEST(SchemaSetTest, ReferencesThatMultiplyAreRefused) {
  // Each place is within the one before it, and each becomes a copy.
  std::string leaf = R"({"enum": [0)";
  for (int i = 0; i < 3000; ++i) absl::StrAppend(&leaf, ",", i);
  std::string nested = leaf + "]}";
  std::string pointer = "#/$defs/a";
  std::string any = R"({"$ref": "#/$defs/a"})";
  for (int i = 0; i < 40; ++i) {
    nested = absl::StrCat(R"({"items": )", nested, "}");
    absl::StrAppend(&pointer, "/items");
    absl::StrAppend(&any, R"(,{"$ref": ")", pointer, "\"}");
  }
  EXPECT_THAT(Refusal(absl::StrCat(R"({"$defs": {"a": )", nested, R"(}, "anyOf": [)", any, "]}")),
              HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr("100,000")));
  std::string wide = "{\"enum\": [0";
  for (int i = 0; i < 110'000; ++i) wide += ",1";
  EXPECT_THAT(Refusal(wide + "]}"),
              HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr("100,000")));
}

TEST(SchemaSetTest, HostilePatternsAreRefusedOrLinear) {
  for (const char* pattern : {"(", "(?=a)", "(a)\\\\1", "(?<!a)b", "a{1001}", "(a{100}){100}"}) {
    EXPECT_THAT(Refusal(absl::StrCat(R"({"pattern": ")", pattern, "\"}")),
                HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr("/pattern")))
        << pattern;
  }
  EXPECT_THAT(Refusal(R"({"patternProperties": {"(": true}})"),
              HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr("/patternProperties/(")));
  const std::string backtracks = R"({"items": {"pattern": "^(a+)+$"}})";
  EXPECT_FALSE(Holds(backtracks, "[\"" + std::string(16'000, 'a') + "b\"]"));
  EXPECT_TRUE(Holds(backtracks, "[\"" + std::string(16'000, 'a') + "\"]"));
  // std::regex ends the process on this one.
  EXPECT_FALSE(Holds(R"({"pattern": "^(a|b)*$"})", "\"" + std::string(900'000, 'a') + "\""));
  EXPECT_FALSE(Holds(R"({"format": "date-time"})",
                     "\"2020-01-01T00:00:00." + std::string(900'000, '1') + "\""));
}

TEST(SchemaSetTest, WorkIsBoundedWhateverTheEventHolds) {
  // Every item is the last of its alternatives.
  std::string alternatives = R"({"items": {"anyOf": [{"const": 0})";
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&alternatives, R"(,{"const": "x)", i, "\"}");
  std::string data = "[\"x1999\"";
  for (int i = 0; i < 100'000; ++i) data += ",\"x1999\"";
  const Verdict verdict = Judge(alternatives + "]}}", data + "]");
  EXPECT_EQ(verdict.result, Verdict::kInvalid);
  ASSERT_EQ(verdict.faults.size(), 1u);
  EXPECT_THAT(cdevents::ToText(verdict.faults[0]), HasSubstr("more work"));
  // `not` does not turn what could not be finished into what is valid.
  EXPECT_FALSE(Holds(R"({"not": )" + alternatives + "]}}}", data + "]"));
}

TEST(SchemaSetTest, UniqueItemsOfManyIsQuickAndExact) {
  std::string data = "[0";
  for (int i = 1; i < 100'000; ++i) absl::StrAppend(&data, ",", i);
  EXPECT_TRUE(Holds(R"({"uniqueItems": true})", data + "]"));
  EXPECT_FALSE(Holds(R"({"uniqueItems": true})", data + ",7.0]"));
  EXPECT_FALSE(Holds(R"({"uniqueItems": true})", R"([{"a": 1, "b": 2}, {"b": 2, "a": 1}])"));
  EXPECT_TRUE(Holds(R"({"uniqueItems": true})", R"([[1, 2], [2, 1], {}, [], null, false, 0])"));
}

TEST(SchemaSetTest, LengthsAreOfCharactersAndNothingHidesBehindNul) {
  EXPECT_TRUE(Holds(R"({"maxLength": 2, "minLength": 2})", R"("äö")"));
  EXPECT_FALSE(Holds(R"({"maxLength": 3})", R"("abc\u0000def")"));
  EXPECT_FALSE(Holds(R"({"enum": ["abc"]})", R"("abc\u0000def")"));
  EXPECT_FALSE(Holds(R"({"const": "abc"})", R"("abc\u0000def")"));
  EXPECT_FALSE(Holds(R"({"pattern": "^abc$"})", R"("abc\u0000def")"));
  EXPECT_FALSE(
      Holds(R"({"properties": {"a": true}, "additionalProperties": false})", R"({"a\u0000": 1})"));
  EXPECT_FALSE(Holds(R"({"required": ["a"]})", R"({"a\u0000": 1})"));
}

TEST(SchemaSetTest, NumbersAreComparedAsNumbers) {
  EXPECT_TRUE(Holds(R"({"const": 1})", "1.0"));
  EXPECT_TRUE(Holds(R"({"type": "integer"})", "1.0"));
  EXPECT_TRUE(Holds(R"({"type": "integer"})", "18446744073709551615"));
  EXPECT_FALSE(Holds(R"({"type": "integer"})", "1.5"));
  EXPECT_FALSE(Holds(R"({"enum": [0]})", "false"));
  EXPECT_TRUE(Holds(R"({"multipleOf": 0.01})", "4.35"));
  EXPECT_FALSE(Holds(R"({"multipleOf": 0.01})", "4.355"));
  EXPECT_TRUE(Holds(R"({"exclusiveMinimum": 0})", "0.1"));
  EXPECT_FALSE(Holds(R"({"exclusiveMinimum": 0})", "0"));
  EXPECT_EQ(Judge("{}", "1e999").result, Verdict::kInvalid);
}

TEST(SchemaSetTest, FormatsAreChecked) {
  const std::tuple<const char*, std::vector<const char*>, std::vector<const char*>> cases[] = {
      {"date-time",
       {"2024-12-18T17:58:39.674637507+00:00", "2024-02-29T00:00:00Z"},
       {"2024-12-18T17:58:39", "2023-02-29T00:00:00Z", ""}},
      {"date", {"2024-02-29"}, {"2023-02-29", "2024-2-29", "2024-02-29T00:00:00Z"}},
      {"time", {"12:00:00Z", "12:00:00.5+01:00"}, {"12:00:00", "25:00:00Z"}},
      {"uri",
       {"https://a.example/x?y#z", "urn:a:b", "pkg:oci/myapp@sha256%3A0b31", "https://[::1]:80/"},
       {"/x", "a b:c", "https://a.example/%zz", "", "https://a.example/ä"}},
      {"uri-reference",
       {"/event/source/123", "my-git.example/a", "testkube-dev-123", "", "a?b:c",
        "https://a.example"},
       {"a b", "%", "ä", "a|b"}},
      {"uuid", {"6ca3f9c5-1cef-4ce0-861c-2456a69cf137"}, {"6ca3f9c51cef4ce0861c2456a69cf137"}},
      {"ipv4", {"127.0.0.1"}, {"127.0.0", "256.0.0.1"}},
      {"ipv6", {"::1", "2001:db8::2"}, {"127.0.0.1", ":::"}},
      {"hostname", {"a.example", "localhost"}, {"-a", "a..b", "ä"}},
      {"email", {"ann@alpha.example"}, {"ann", "@a", "a b@c", "ann@-"}},
  };
  for (const auto& [format, good, bad] : cases) {
    const std::string schema = absl::StrCat(R"({"format": ")", format, "\"}");
    EXPECT_TRUE(Holds(schema, "3")) << "only strings have a format";
    for (const char* text : good) {
      EXPECT_TRUE(Holds(schema, absl::StrCat("\"", text, "\""))) << format << " " << text;
    }
    for (const char* text : bad) {
      EXPECT_FALSE(Holds(schema, absl::StrCat("\"", text, "\""))) << format << " " << text;
    }
  }
}

TEST(SchemaRegistryTest, ReplacesAtOnceAndKeepsWhatIsInUse) {
  SchemaRegistry registry;
  const auto before = registry.Current();
  registry.Replace(CompileOne("{}").set);
  EXPECT_TRUE(registry.Current()->Has(kUri));
  EXPECT_FALSE(before->Has(kUri));
}

}  // namespace
}  // namespace cdgate::schema
