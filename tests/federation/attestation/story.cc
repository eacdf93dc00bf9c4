#include "tests/federation/attestation/story.h"

#include <cstdlib>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/attestation/leaves.h"
#include "federation/attestation/origin_leaf.h"
#include "federation/attestation/signed_text.h"
#include "federation/policy/classification.h"
#include "federation/policy/transformation.h"
#include "gateway/base/errors.h"
#include "gateway/event/cloud_event_writer.h"
#include "gateway/event/digests.h"
#include "gateway/event/record.h"
#include "tests/federation/attestation/attestors.h"
#include "tests/support/stored_events.h"

namespace cdgate::test {
namespace {

using attestation::Digest;
using event::AsBytes;
using federation::v1::RelayedEvent;

constexpr int64_t kAccepted = 1'779'999'999'123'456'789;

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::cerr << value.status() << "\n";
    std::abort();
  }
  return *std::move(value);
}

// Leaves of the other events of a tree.
void AddOthers(int count, std::vector<Digest>* leaves) {
  for (int i = 0; i < count; ++i) {
    leaves->push_back(*attestation::ReadDigest(crypto::Sha256(absl::StrCat("leaf ", i))));
  }
}

storage::v1::StoredEvent StoredOf(const RelayedEvent& relayed) {
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(relayed.cloud_event());
  stored.set_origin(relayed.origin());
  stored.set_accepted_time_nanos(relayed.accepted_time_nanos());
  stored.set_salt(relayed.salt());
  stored.set_commitment(relayed.commitment());
  stored.set_plane(relayed.plane());
  stored.set_classification(relayed.classification());
  stored.set_notes(relayed.notes());
  *stored.mutable_withheld() = relayed.export_().withheld();
  *stored.mutable_substituted() = relayed.export_().substituted();
  return stored;
}

admin::v1::ExportRule RuleOf(const Sending& how) {
  admin::v1::ExportRule rule;
  rule.set_action(admin::v1::ACTION_ALLOW);
  rule.set_links(how.drop_links ? admin::v1::LINK_HANDLING_DROP : admin::v1::LINK_HANDLING_KEEP);
  for (const std::string& path : how.redact) rule.add_redact(path);
  for (const std::string& path : how.pseudonymise) rule.add_pseudonymise(path);
  return rule;
}

attestation::CopyView CopyOf(const absl::string_view cloud_event,
                             const storage::v1::ExportSection& section) {
  event::CloudEventView view;
  view.Assign(cloud_event);
  attestation::CopyView copy;
  copy.Assign(view, section.withheld(), section.substituted());
  return copy;
}

// The proof of `sent`, which was made from `before`; empty where none can be.
std::string ProofOf(const RelayedEvent& before, const RelayedEvent& sent) {
  if ((before.notes() & event::kNoteFieldsCommitted) == 0) return "";
  attestation::FieldProver prover;
  const auto old_copy = CopyOf(before.cloud_event(), before.export_());
  const auto new_copy = CopyOf(sent.cloud_event(), sent.export_());
  if (!before.salt().empty()) return OrDie(prover.Alter(old_copy.event, before.salt(), new_copy));
  return OrDie(prover.AlterAgain(old_copy, before.field_proof(), new_copy));
}

void Alter(const RelayedEvent& before, const Sending& how, RelayedEvent* sent) {
  static const auto* const keys =
      new policy::Keyring({{.version = 1, .start_nanos = 0, .secret = std::string(32, 'k')}});
  const StoredRecord owner(StoredOf(before));
  policy::Transformer transformer;
  bool changed = false;
  const policy::Outgoing* const out =
      transformer.Apply(policy::Transformation::Of(RuleOf(how)), owner.record,
                        keys->For(before.accepted_time_nanos()), &changed);
  if (out == nullptr) std::abort();
  if (!changed) return;
  sent->set_cloud_event(out->cloud_event);
  auto& section = *sent->mutable_export_();
  section.mutable_withheld()->Assign(out->withheld.begin(), out->withheld.end());
  section.mutable_substituted()->Assign(out->substituted.begin(), out->substituted.end());
  sent->clear_salt();
  sent->set_field_proof(ProofOf(before, *sent));
}

void SetTerms(const Sending& how, RelayedEvent* sent) {
  storage::v1::Terms& terms = *sent->mutable_export_()->mutable_terms();
  terms.Clear();
  terms.set_onward(how.onward);
  terms.set_classification(how.classification);
  for (const std::string& group : how.groups) terms.add_groups(group);
}

std::string CommitmentTo(const RelayedEvent& event) {
  event::CloudEventView view;
  view.Assign(event.cloud_event());
  if ((event.notes() & event::kNoteFieldsCommitted) == 0) {
    return event::Commitment(event.salt(), crypto::Sha256(view.data()));
  }
  event::FieldCommitter committer;
  return std::string(AsBytes(committer.Commit(event.salt(), view).value()));
}

std::string OriginStatementOf(const RelayedEvent& event, int others) {
  const std::string& domain = event.origin();
  attestation::LeafMaker leaves;
  const StoredRecord owner(StoredOf(event));
  std::vector<Digest> all;
  AddOthers(others, &all);
  const size_t place = all.size();
  all.push_back(
      attestation::OriginLeafOf(owner.record.stored(), owner.record.cloud_event(), leaves));
  attestation::MerkleTree tree;
  const std::string seed = FixedSeed(absl::StrCat("origin tree of ", domain));
  tree.Build(all, seed);
  const auto signature = AttestorOf(domain).SignTree(
      seed, kSignTime, attestation::OriginText(domain, kSignTime, tree.root()));
  return attestation::MakeOriginStatement(domain, signature,
                                          {leaves.OriginSalt(event.salt()), tree.Prove(place)})
      .SerializeAsString();
}

}  // namespace

io::cloudevents::v1::CloudEvent StoryEvent() {
  io::cloudevents::v1::CloudEvent event;
  event.set_id("271069a8-fc18-44f1-b38f-9d70a1695819");
  event.set_source("/alpha/ci");
  event.set_spec_version("1.0");
  event.set_type("dev.cdevents.artifact.packaged.0.3.0");
  auto& attributes = *event.mutable_attributes();
  attributes["subject"].set_ce_string("pkg:oci/app@sha256%3Aabc");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1767225600);
  attributes["causationid"].set_ce_string("c-1");
  attributes["priority"].set_ce_integer(-3);
  attributes["urgent"].set_ce_boolean(true);
  event.set_binary_data(
      R"({"context": {"version": "0.5.0", "id": "271069a8-fc18-44f1-b38f-9d70a1695819",
  "source": "/alpha/ci", "type": "dev.cdevents.artifact.packaged.0.3.0",
  "timestamp": "2026-01-01T00:00:00Z", "chainId": "4c8cb7dd-3448-41de-8768-eec704e2829b"},
 "subject": {"id": "pkg:oci/app@sha256%3Aabc", "type": "artifact",
  "content": {"change": {"id": "change-1", "source": "/alpha/scm"}, "sbom": {}}},
 "customData": {"team": "r\u00e9d", "cost": 1.50, "a/b~c": null, "0": [],
  "people": {"author": "ada@alpha.example", "reviewers": ["bob", {"name": "cy", "n": 1e2}]}}})");
  return event;
}

std::string Canonical(const io::cloudevents::v1::CloudEvent& cloud_event) {
  event::CloudEventView view;
  const std::string raw = cloud_event.SerializeAsString();
  view.Assign(raw);
  event::CloudEventFields fields;
  fields.id = view.id();
  fields.source = view.source();
  fields.type = view.type();
  fields.data = view.data();
  view.ForEach([&](const event::AttributeView& one) { fields.attributes.push_back(one); });
  return event::RenderCloudEvent(&fields);
}

Holding Accept(const std::string& domain, const io::cloudevents::v1::CloudEvent& cloud_event,
               bool by_fields, int others) {
  Holding out;
  out.domain = domain;
  RelayedEvent& event = out.event;
  event.set_cloud_event(Canonical(cloud_event));
  event.set_origin(domain);
  event.set_accepted_time_nanos(kAccepted);
  event.set_salt(FixedSeed(absl::StrCat("salt of ", domain)));
  event.set_plane("ci");
  event.set_classification("TLP:GREEN");
  event.set_notes(by_fields ? event::kNoteFieldsCommitted : 0);
  event.set_commitment(CommitmentTo(event));
  out.statement = OriginStatementOf(event, others);
  return out;
}

// That of an event at some place of a batch.
Digest LeafOf(const event::RelayedView& relayed, const event::CloudEventView& event,
              attestation::LeafSalt salt, attestation::LeafMaker& leaves) {
  attestation::TermsView terms;
  if (relayed.has_terms() && !attestation::ReadTerms(relayed.terms(), &terms)) std::abort();
  attestation::CopyView copy;
  copy.Assign(event, relayed.withheld(), relayed.substituted());
  return leaves.Export(salt, attestation::ClaimOf(relayed), leaves.DigestsOf(copy), terms,
                       leaves.Previous(relayed.statements()));
}

std::string StatementOf(const std::string& sender, const std::string& receiver,
                        const RelayedEvent& event, int others, int64_t sign_time_nanos) {
  const std::string bytes = event.SerializeAsString();
  event::RelayedView relayed;
  event::CloudEventView view;
  if (!relayed.Assign(bytes) || !view.Assign(relayed.cloud_event())) std::abort();
  attestation::LeafMaker leaves;
  const std::string seed = FixedSeed(absl::StrCat(sender, " to ", receiver));
  std::vector<Digest> all;
  AddOthers(others, &all);
  const auto place = static_cast<uint32_t>(all.size());
  all.push_back(LeafOf(relayed, view, leaves.Salt(seed, place), leaves));
  attestation::MerkleTree tree;
  tree.Build(all, seed);
  const Digest link = attestation::LinkDigest({.seed = seed,
                                               .agreement = "agreement-1",
                                               .link_epoch = "epoch-1",
                                               .first_position = 7,
                                               .count = static_cast<uint32_t>(all.size()),
                                               .before = {}});
  const auto signature = AttestorOf(sender).SignTree(
      seed, sign_time_nanos,
      attestation::ExportText(sender, receiver, sign_time_nanos, link, tree.root()));
  attestation::CopyView copy;
  copy.Assign(view, relayed.withheld(), relayed.substituted());
  return attestation::MakeExportStatement(
             sender, receiver, signature, {leaves.Salt(seed, place), tree.Prove(place)}, link,
             leaves.DigestsOf(copy), attestation::TermsOf(event.export_().terms()))
      .SerializeAsString();
}

Holding Send(const Holding& from, const Sending& how) {
  Holding out;
  out.domain = how.to;
  out.event = from.event;
  Alter(from.event, how, &out.event);
  SetTerms(how, &out.event);
  out.event.set_hops(from.event.hops() + 1);
  out.event.add_path(from.domain);
  out.event.add_statements(from.statement);
  out.statement =
      StatementOf(from.domain, how.to, out.event, how.others,
                  how.sign_time_nanos == 0 ? kSignTime + out.event.hops() : how.sign_time_nanos);
  return out;
}

absl::StatusOr<attestation::Proof> VerifyAt(absl::string_view receiver, const RelayedEvent& event,
                                            attestation::ChainVerifier* verifier) {
  const std::string bytes = event.SerializeAsString();
  event::RelayedView relayed;
  event::CloudEventView view;
  if (!relayed.Assign(bytes) || !view.Assign(relayed.cloud_event())) {
    return base::MakeError(base::Reason::kInvalidCloudEvent, "no event");
  }
  const auto strict = [](absl::string_view before, absl::string_view after) {
    return policy::Classifications::BuiltIn().Stricter(before, after) == after;
  };
  return verifier->Verify(relayed, view, {receiver, strict});
}

absl::Status VerifySent(const Holding& holding, attestation::ChainVerifier* verifier) {
  federation::v1::Statement read;
  if (absl::Status status = attestation::ReadStatement(holding.statement, &read); !status.ok()) {
    return status;
  }
  const std::string bytes = holding.event.SerializeAsString();
  event::RelayedView relayed;
  event::CloudEventView view;
  if (!relayed.Assign(bytes) || !view.Assign(relayed.cloud_event())) std::abort();
  // Made again from the copy itself, so that what the statement claims of it does not matter.
  attestation::LeafMaker& leaves = verifier->statements().leaves();
  attestation::CopyView copy;
  copy.Assign(view, relayed.withheld(), relayed.substituted());
  const attestation::CopyDigests digests = leaves.DigestsOf(copy);
  read.mutable_export_()->set_attributes_digest(std::string(AsBytes(digests.attributes)));
  read.mutable_export_()->set_content_digest(std::string(AsBytes(digests.content)));
  read.mutable_export_()->set_changes(std::string(AsBytes(digests.changes)));
  *read.mutable_export_()->mutable_terms() = holding.event.export_().terms();
  read.mutable_export_()->set_receiver(holding.domain);
  return verifier->statements().VerifyExport(read, attestation::ClaimOf(relayed),
                                             leaves.Previous(relayed.statements()));
}

}  // namespace cdgate::test
