// What the CDEvents catalogue says of a path that a rule names: whether it may be removed or
// replaced, and what a replacement has to look like.
#pragma once

#include <string>

#include "gateway/filter/data_path.h"

namespace cdgate::policy {

// The kind of pseudonyms at `path`: its names, without indexes into arrays.
std::string KindOf(const filter::DataPath& path);

// In some type of some release the value at `path` is a URI.
bool HoldsUri(const filter::DataPath& path);

}  // namespace cdgate::policy
