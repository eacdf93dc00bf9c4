// Stored events as messages, for tests that build or look at one field by field.
//
//   const StoredRecord owner(stored);            // a storage::v1::StoredEvent
//   EXPECT_EQ(owner.record.id(), "1");
//   EXPECT_EQ(ParseStored(new_event.stored).path_size(), 2);
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/string_view.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/event/record.h"

namespace cdgate::test {

inline storage::v1::StoredEvent ParseStored(absl::string_view bytes) {
  storage::v1::StoredEvent stored;
  EXPECT_TRUE(stored.ParseFromString(std::string(bytes)));
  return stored;
}

// The whole record of a commit, events and all.
inline storage::v1::CommitRecord ParseRecord(const event::Commit& commit) {
  storage::v1::CommitRecord record;
  EXPECT_TRUE(record.ParseFromString(std::string(commit.bytes)));
  return record;
}

// A record and the bytes that it views; stays where it is.
struct StoredRecord {
  explicit StoredRecord(const storage::v1::StoredEvent& stored,
                        base::Sequence sequence = base::Sequence(1))
      : bytes(stored.SerializeAsString()), record(sequence, bytes) {}
  StoredRecord(const StoredRecord&) = delete;
  StoredRecord& operator=(const StoredRecord&) = delete;

  const std::string bytes;
  const event::Record record;
};

}  // namespace cdgate::test
