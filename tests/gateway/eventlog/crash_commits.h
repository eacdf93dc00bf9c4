// What a process appends that is killed at it: each commit follows from the one before, so that a
// test knows them all.
#pragma once

#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/eventlog/event_log.h"
#include "tests/gateway/eventlog/test_commits.h"

namespace cdgate::test {

// So many events it keeps, at least, when it trims.
inline constexpr uint64_t kCrashKept = 100;
inline constexpr size_t kCrashFileBytes = 1 << 20;

// None to six events, of up to 40 KiB.
inline event::CommitPtr NextCrashCommit(const eventlog::Head& head) {
  const uint64_t number = head.commit + 1;
  return NextEvents(head, number % 7, number * 7919 % 40'000);
}

}  // namespace cdgate::test
