// The rules for a type as a JSON Schema (2020-12), for tools that want one, and as the text
// that two gateways compare by its digest.
//
//   const std::string schema = JsonSchemaOf(type.FormOf("", "0.5.1"));
//
// It accepts what the validator accepts, with formats asserted. Written from the options of
// proto/cdevents/v1; members are in the order of the messages, and the same rules give the
// same text. Links are not told apart by reference but written out.
#pragma once

#include <string>

#include "gateway/cdevents/catalogue.h"

namespace cdgate::cdevents {

std::string JsonSchemaOf(const Form& form);

}  // namespace cdgate::cdevents
