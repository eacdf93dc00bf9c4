#include "gateway/event/record.h"

#include <google/protobuf/arena.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"

namespace cdgate::event {
namespace {

// Fixed costs of the structures around the strings, measured roughly.
constexpr size_t kRecordOverhead = 256;
constexpr size_t kCommitOverhead = 512;

// A commit and the memory its record lives in: moved in, or parsed into the arena.
struct OwningCommit {
  google::protobuf::Arena arena;
  storage::v1::CommitRecord moved;
  storage::v1::CommitRecord* record;
  Commit commit;

  explicit OwningCommit(storage::v1::CommitRecord&& from)
      : moved(std::move(from)), record(&moved), commit(*record) {}
  explicit OwningCommit(const google::protobuf::ArenaOptions& options)
      : arena(options),
        record(google::protobuf::Arena::CreateMessage<storage::v1::CommitRecord>(&arena)),
        commit(*record) {}
};

void Fill(Commit* commit) {
  const storage::v1::CommitRecord& record = commit->record;
  commit->number = record.number();
  commit->first_sequence = base::Sequence(record.first_sequence());
  commit->epoch = base::Epoch(record.epoch());
  commit->commit_time = absl::FromUnixNanos(record.commit_time_nanos());
  commit->byte_size = kCommitOverhead;
  commit->events.reserve(static_cast<size_t>(record.events_size()));
  base::Sequence sequence = commit->first_sequence;
  for (const storage::v1::StoredEvent& stored : record.events()) {
    commit->events.emplace_back(sequence, stored);
    commit->byte_size += commit->events.back().byte_size();
    sequence = sequence.Next();
  }
  commit->last_sequence = base::Sequence(sequence.value() == 0 ? 0 : sequence.value() - 1);
}

CommitPtr Share(std::shared_ptr<OwningCommit> owner) {
  Fill(&owner->commit);
  const Commit* commit = &owner->commit;
  return CommitPtr(std::move(owner), commit);
}

// The envelope's time as an instant, in whichever of the two forms it was sent.
bool ReadTime(const AttributeView& attribute, absl::Time* out) {
  if (attribute.kind == AttributeKind::kTimestamp) {
    *out = attribute.time();
    return true;
  }
  return attribute.is_text() && absl::ParseTime(absl::RFC3339_full, attribute.text, out, nullptr);
}

}  // namespace

Record::Record(base::Sequence sequence, const storage::v1::StoredEvent& stored)
    : sequence_(sequence), stored_(&stored), time_(absl::UnixEpoch()) {
  byte_size_ = kRecordOverhead + stored.cloud_event().size();
  for (const std::string& statement : stored.statements()) byte_size_ += statement.size();
  if (cloud_event_.Assign(stored.cloud_event())) ReadEnvelope();
}

void Record::ReadEnvelope() {
  id_ = cloud_event_.id();
  cloud_event_.ForEach([this](const AttributeView& attribute) {
    if (attribute.name == "subject") subject_ = attribute.text;
    if (attribute.name == "time") ReadTime(attribute, &time_);
  });
  if (!stored_->inner_id().empty()) id_ = stored_->inner_id();
  if (!stored_->inner_subject().empty()) subject_ = stored_->inner_subject();
  if (!stored_->inner_time().empty()) {
    absl::ParseTime(absl::RFC3339_full, stored_->inner_time(), &time_, nullptr);
  }
}

std::string Record::time_text() const {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time_, absl::UTCTimeZone());
}

CommitPtr MakeCommit(storage::v1::CommitRecord&& record) {
  return Share(std::make_shared<OwningCommit>(std::move(record)));
}

absl::StatusOr<CommitPtr> ParseCommit(absl::string_view bytes) {
  google::protobuf::ArenaOptions options;
  options.start_block_size = bytes.size() / 2 + 1024;
  options.max_block_size = 1 << 20;
  auto owner = std::make_shared<OwningCommit>(options);
  storage::v1::CommitRecord& record = *owner->record;
  if (bytes.size() > INT32_MAX ||
      !record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return base::MakeError(base::Reason::kLogCorrupt, "a commit record does not parse");
  }
  if (record.format_version() > kCommitFormatVersion) {
    return base::MakeError(
        base::Reason::kLogFormatNewer,
        absl::StrCat("commit ", record.number(), " has format version ", record.format_version(),
                     ", this release knows ", kCommitFormatVersion));
  }
  return Share(std::move(owner));
}

}  // namespace cdgate::event
