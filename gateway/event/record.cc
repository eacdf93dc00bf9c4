#include "gateway/event/record.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/prefetch.h"
#include "gateway/event/wire_reader.h"
#include "gateway/event/wire_writer.h"

namespace cdgate::event {
namespace {

// Fixed costs of the structures around the strings, measured roughly.
constexpr size_t kRecordOverhead = 256;
constexpr size_t kCommitOverhead = 512;

constexpr uint32_t kEvents = 6;  // of CommitRecord

// A commit and the memory its views point into.
struct OwningCommit {
  OwnedBytes bytes;
  Commit commit;
};

// Splits a serialised CommitRecord into its events and the rest.
bool Split(absl::string_view bytes, std::vector<absl::string_view>* events, std::string* rest) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == kEvents && reader.is_bytes()) {
      events->push_back(reader.bytes());
    } else {
      const size_t from = reader.field_offset();
      rest->append(bytes.data() + from, reader.offset() - from);
    }
  }
  return reader.ok();
}

void TakeHead(Commit* commit) {
  const storage::v1::CommitRecord& record = commit->record;
  commit->number = record.number();
  commit->first_sequence = base::Sequence(record.first_sequence());
  commit->epoch = base::Epoch(record.epoch());
  commit->commit_time = absl::FromUnixNanos(record.commit_time_nanos());
  commit->byte_size = kCommitOverhead;
}

// `event` points into the commit's bytes.
void TakeEvent(const CommitEvent& event, Commit* commit) {
  const base::Sequence sequence(commit->first_sequence.value() + commit->events.size());
  if (event.read != nullptr) {
    commit->events.push_back(*event.read);
    commit->events.back().Move(sequence, event.stored);
  } else {
    commit->events.emplace_back(sequence, event.stored);
  }
  commit->byte_size += commit->events.back().byte_size();
}

void SetLast(Commit* commit) {
  const uint64_t end = commit->first_sequence.value() + commit->events.size();
  commit->last_sequence = base::Sequence(end == 0 ? 0 : end - 1);
}

CommitPtr Share(std::shared_ptr<OwningCommit> owner) {
  owner->commit.bytes = owner->bytes;
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

Record::Record(base::Sequence sequence, absl::string_view stored)
    : sequence_(sequence), time_(absl::UnixEpoch()), byte_size_(kRecordOverhead + stored.size()) {
  KnownAttributes outer;
  if (stored_.Assign(stored) && cloud_event_.AssignStored(stored_.cloud_event(), &outer)) {
    ReadEnvelope(outer);
  }
}

void Record::ReadEnvelope(const KnownAttributes& outer) {
  id_ = cloud_event_.id();
  subject_ = outer.subject.text;
  label_ = outer.classification;
  regulation_ = outer.regulation;
  ReadTime(outer.time, &time_);
  if (!stored_.inner_id().empty()) id_ = stored_.inner_id();
  if (!stored_.inner_subject().empty()) subject_ = stored_.inner_subject();
  if (!stored_.inner_time().empty()) {
    absl::ParseTime(absl::RFC3339_full, stored_.inner_time(), &time_, nullptr);
  }
}

void Record::Move(base::Sequence sequence, absl::string_view stored) {
  const MovedBytes moved(stored_.bytes(), stored.data());
  if (!stored_.Move(stored)) {
    *this = Record(sequence, stored);
    return;
  }
  sequence_ = sequence;
  byte_size_ = kRecordOverhead + stored.size();
  cloud_event_.Move(moved);
  for (absl::string_view* view : {&id_, &subject_, &label_, &regulation_}) {
    moved.Move(view);
  }
}

std::string Record::time_text() const {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time_, absl::UTCTimeZone());
}

CommitPtr MakeCommit(storage::v1::CommitRecord record, absl::Span<const CommitEvent> events) {
  auto owner = std::make_shared<OwningCommit>();
  std::vector<std::string> own;
  for (const auto& event : record.events()) own.push_back(event.SerializeAsString());
  record.clear_events();
  std::vector<CommitEvent> all(own.begin(), own.end());
  all.insert(all.end(), events.begin(), events.end());

  const size_t head = record.ByteSizeLong();
  size_t size = head;
  for (const CommitEvent& event : all) size += BytesFieldSize(kEvents, event.stored.size());
  owner->bytes = OwnedBytes({}, size);
  char* at = owner->bytes.Extend(size);
  record.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(at));
  at += head;
  owner->commit.record = std::move(record);
  TakeHead(&owner->commit);
  owner->commit.events.reserve(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    if (i + 1 < all.size()) base::Prefetch(all[i + 1].stored);  // other threads wrote it
    CommitEvent& event = all[i];
    at = PutBytesField(kEvents, event.stored, at);
    event.stored = {at - event.stored.size(), event.stored.size()};
    TakeEvent(event, &owner->commit);  // while the copy is at hand
  }
  SetLast(&owner->commit);
  return Share(std::move(owner));
}

absl::StatusOr<CommitPtr> ParseCommit(OwnedBytes bytes) {
  auto owner = std::make_shared<OwningCommit>();
  owner->bytes = std::move(bytes);
  storage::v1::CommitRecord& record = owner->commit.record;
  std::vector<absl::string_view> stored;
  std::string rest;
  if (!Split(owner->bytes, &stored, &rest) || !record.ParseFromString(rest)) {
    return base::MakeError(base::Reason::kLogCorrupt, "a commit record does not parse");
  }
  if (record.format_version() > kCommitFormatVersion) {
    return base::MakeError(
        base::Reason::kLogFormatNewer,
        absl::StrCat("commit ", record.number(), " has format version ", record.format_version(),
                     ", this release knows ", kCommitFormatVersion));
  }
  TakeHead(&owner->commit);
  owner->commit.events.reserve(stored.size());
  for (const absl::string_view text : stored) {
    TakeEvent(text, &owner->commit);
    const Record& event = owner->commit.events.back();
    if (event.stored().bytes().size() == text.size()) continue;
    return base::MakeError(base::Reason::kLogCorrupt,
                           absl::StrCat("event ", event.sequence().value(), " does not parse"));
  }
  SetLast(&owner->commit);
  return Share(std::move(owner));
}

}  // namespace cdgate::event
