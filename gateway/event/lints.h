// What is wrong with texts that the schemas of CDEvents do not look into, although the
// specification's prose does: package URLs and domain ids. An event with such a text is
// valid; these are for whoever wants to be told before a consumer stumbles.
//
//   if (const auto fault = event::PackageUrlFault(artifact_id)) Note(*fault);
//
// Each says the first thing that is wrong and where, the byte counted from 0: "the type
// 'OCI' is not in lower case, at byte 4". Nothing is returned where nothing is wrong.
// Pure; any thread; takes any bytes.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cdgate::event {

// Package URLs (ECMA-427; github.com/package-url/purl-spec):
//
//   pkg:TYPE/NAMESPACE/NAME@VERSION?KEY=VALUE&KEY=VALUE#SUBPATH
//
// of which the namespace, the version and what is behind it may be absent. Refused is also
// what parsers have to accept and builders must not write, because two texts for one
// package are two packages to whoever compares them: "pkg://", a type or a key in upper
// case, empty segments. Accepted is more percent-encoding than is needed, as in the
// specification's own "sha256%3A", and qualifiers in any order.
//
// Of the rules of types those of oci: no namespace, a name in lower case, and the digest
// "sha256:HEX" in lower case for a version. How long the digest is, is not looked at.
std::optional<std::string> PackageUrlFault(absl::string_view text);

// The form of a domainId (CDEvents 0.6 draft, links.md):
//
//   cdevents:v0:PROVIDER:PROVIDER_ID:NAMESPACE:GROUPS:TYPE:RESOURCE_ID
//
// Only type and resource id must not be empty; groups are separated by '/'. Refused is
// what the schema's expression refuses, and what it lets pass against the prose: an empty
// group, ':' or '/' where it would have to be percent-encoded, escapes that are none or in
// lower case, characters that no URI has, the bare type "definition", a provider that
// could not be registered.
std::optional<std::string> DomainIdFault(absl::string_view text);

// What is allowed in a domainId without a fault, but may mean nothing to others: a
// provider that is not registered and not in `more_providers`, or a type that the
// specification does not govern. Of a text with a fault, nothing.
std::optional<std::string> DomainIdRemark(absl::string_view text,
                                          absl::Span<const absl::string_view> more_providers = {});

}  // namespace cdgate::event
