// The formats that the JSON Schemas of CDEvents name, with the verdicts of the validator
// that judges them: ajv 8 with ajv-formats 3 in its mode "full", which is what the
// specification's own tools run. Where that departs from the RFC, so do these, because
// what one gateway refuses and a producer's own check accepts is lost on the way.
//
//   if (!base::IsUriReference(source)) ...
//
// All take valid UTF-8 (json_parser.h), do not allocate, and take linear time. Pure;
// any thread.
#pragma once

#include "absl/strings/string_view.h"

namespace cdgate::base {

// "date-time". The rules are those of timestamp.h, whose ReadDateTime has the value.
bool IsDateTime(absl::string_view text);

// "uri": a scheme, ':', and something before the query and the fragment. Beyond RFC 3986:
//  - an authority in which no bracket occurs is not looked at: "a://b:c:d@e@f" passes,
//    because it is also "/" and a path;
//  - an address in brackets may come after one slash: "a:/[::1]";
//  - numbers of an IPv4 address in an IPv6 one may begin with zeros.
// Not accepted: nothing before the query ("a:", "a:?b"); a zone ("[fe80::1%25en0]").
bool IsUri(absl::string_view text);

// "uri-reference": the same with the scheme and what follows it optional, and '"' wherever
// a sub-delimiter may be but in the userinfo before '['. The empty text is one. Whatever
// IsUri accepts, this does.
bool IsUriReference(absl::string_view text);

}  // namespace cdgate::base
