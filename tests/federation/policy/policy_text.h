// Policies for tests, as protobuf text.
#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"

namespace cdgate::test {

inline admin::v1::Policy ParsePolicy(const std::string& text) {
  admin::v1::Policy policy;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &policy)) << text;
  if (policy.peer().empty()) policy.set_peer("beta.example");
  return policy;
}

// Version 7 of a policy that must be valid.
inline std::shared_ptr<const policy::CompiledPolicy> CompilePolicy(const std::string& text) {
  auto compiled = policy::CompiledPolicy::Compile(ParsePolicy(text), 7);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled.ok() ? *compiled : nullptr;
}

// "error export.rules[0].when 1:5", in order.
inline std::vector<std::string> PlacesOf(const std::vector<policy::Finding>& findings) {
  std::vector<std::string> out;
  for (const policy::Finding& finding : findings) {
    out.push_back(absl::StrCat(finding.error ? "error " : "warning ", finding.path));
    if (finding.line > 0) absl::StrAppend(&out.back(), " ", finding.line, ":", finding.column);
  }
  return out;
}

}  // namespace cdgate::test

// For messages of tests.
namespace cdgate::policy {
inline void PrintTo(const Finding& finding, std::ostream* out) {
  *out << (finding.error ? "error " : "warning ") << finding.path << ": " << finding.message;
}
}  // namespace cdgate::policy
