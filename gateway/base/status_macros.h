// Early return for absl::Status and absl::StatusOr.
//
//   absl::StatusOr<Event> Load(absl::string_view path) {
//     CDGATE_ASSIGN_OR_RETURN(std::string bytes, base::ReadFile(path));
//     CDGATE_RETURN_IF_ERROR(CheckSize(bytes));
//     return Parse(bytes);
//   }
//
// Named after the macros of newer Abseil releases, with our prefix, so that an
// upgrade is a rename.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CDGATE_RETURN_IF_ERROR(expr)                                                         \
  do {                                                                                       \
    if (::absl::Status cdgate_status_ = (expr); !cdgate_status_.ok()) return cdgate_status_; \
  } while (false)

#define CDGATE_MACRO_CONCAT_INNER_(a, b) a##b
#define CDGATE_MACRO_CONCAT_(a, b) CDGATE_MACRO_CONCAT_INNER_(a, b)
#define CDGATE_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                                  \
  if (!tmp.ok()) return std::move(tmp).status();      \
  lhs = *std::move(tmp)
#define CDGATE_ASSIGN_OR_RETURN(lhs, expr) \
  CDGATE_ASSIGN_OR_RETURN_IMPL_(CDGATE_MACRO_CONCAT_(cdgate_statusor_, __LINE__), lhs, expr)
