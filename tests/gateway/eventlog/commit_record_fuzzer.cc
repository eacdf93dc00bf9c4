// Any bytes as a commit record: an error, or a commit that every reader can walk and that
// says what the generated class reads of the same bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/backend.h"

namespace {

using cdgate::event::Commit;
using cdgate::event::Record;
using cdgate::event::StoredView;

void Require(bool holds) {
  if (!holds) abort();
}

void CheckSame(const StoredView& view, const cdgate::storage::v1::StoredEvent& stored) {
  Require(view.cloud_event() == stored.cloud_event() && view.origin() == stored.origin());
  Require(view.accepted_time_nanos() == stored.accepted_time_nanos());
  Require(view.salt() == stored.salt() && view.commitment() == stored.commitment());
  Require(view.content_digest() == stored.content_digest() && view.plane() == stored.plane());
  Require(view.classification() == stored.classification() && view.hops() == stored.hops());
  Require(view.has_terms() == stored.has_terms() && view.notes() == stored.notes());
  Require(view.received_from() == stored.received_from());
  Require(view.publisher() == stored.publisher());
  Require(view.import_rule() == stored.import_rule());
  Require(view.inner_id() == stored.inner_id() && view.inner_time() == stored.inner_time());
  Require(view.inner_subject() == stored.inner_subject());
  int at = 0;
  view.ForEachPath([&](absl::string_view domain) { Require(domain == stored.path(at++)); });
  Require(at == stored.path_size());
  at = 0;
  view.ForEachStatement([&](absl::string_view s) { Require(s == stored.statements(at++)); });
  Require(at == stored.statements_size());
}

void CheckSame(const Commit& commit, const cdgate::storage::v1::CommitRecord& record) {
  Require(commit.number == record.number() && commit.epoch.value() == record.epoch());
  Require(commit.first_sequence.value() == record.first_sequence());
  Require(static_cast<int>(commit.events.size()) == record.events_size());
  for (int i = 0; i < record.events_size(); ++i) {
    CheckSame(commit.events[static_cast<size_t>(i)].stored(), record.events(i));
  }
}

void Walk(const Commit& commit, size_t size) {
  size_t bytes = 0;
  for (const Record& record : commit.events) {
    bytes += record.id().size() + record.source().size() + record.type().size() +
             record.data().size() + record.subject().size() + record.time_text().size();
  }
  Require(bytes <= 16 * size + 64 * commit.events.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto commit = cdgate::event::ParseCommit(cdgate::event::OwnedBytes(bytes));
  if (!commit.ok()) return 0;
  Walk(**commit, size);
  (void)cdgate::eventlog::HeadAfter(**commit);
  Require((*commit)->bytes == bytes);
  // The class refuses more: texts that are not UTF-8, terms that are none.
  cdgate::storage::v1::CommitRecord record;
  if (record.ParseFromString(bytes)) CheckSame(**commit, record);
  const auto events = (*commit)->events;
  std::vector<cdgate::event::CommitEvent> stored;
  for (const Record& event : events) stored.emplace_back(event.stored().bytes(), &event);
  const auto again = cdgate::event::MakeCommit((*commit)->record, stored);
  Require(again->events.size() == events.size() && again->number == (*commit)->number);
  return 0;
}
