// Files of resources, for `cdgate apply` and `cdgate policy check`.
//
//   kind: grant                      # first key of each document
//   name: jenkins
//   principal: spiffe://alpha.example/service/jenkins
//   role: PUBLISHER
//   sources: [/alpha/jenkins/%]
//   ---
//   kind: policy
//   peer: beta.example
//   ...
//
// The other keys are the fields of the kind's message (cdgate.admin.v1), written as
// MessageReader has them.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::config {

struct Resource {
  std::string kind;  // "policy", "grant", "group", "schema"
  std::string name;  // of the resource: peer of a policy, URI of a schema, name of another
  std::unique_ptr<google::protobuf::Message> message;  // Policy, Grant, …
  int line = 1;                                        // of `kind`
  std::string source;                                  // the document as it was written
};

// The resources of one file, in order; documents without content are passed over.
// INVALID_CONFIG "file:line: key: what; expected …".
absl::StatusOr<std::vector<Resource>> ParseResources(absl::string_view text,
                                                     absl::string_view file);

// FILE_UNREADABLE, or as ParseResources.
absl::StatusOr<std::vector<Resource>> LoadResources(const std::string& path);

}  // namespace cdgate::config
