// Whether the evaluation of a syntax tree can fail. Internal to the library.
#pragma once

#include <cstddef>

#include "gateway/filter/ast.h"

namespace cdgate::filter {

// `ast` must have been checked. False only where the node `root` has a value for every
// admitted event of at most `max_event_bytes`, within the work that one evaluation may do.
bool CanFail(const Ast& ast, const Node& root, size_t max_event_bytes);

}  // namespace cdgate::filter
