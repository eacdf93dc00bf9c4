// What goes with an event that others may pass on: the statements that it came with, and the one
// that it came under, or that of its origin where that is us (docs/attestation.md).
//
//   StatementSource source("alpha.example");
//   source.SetCommit(commit);
//   for (const std::string& statement : source.Of(record)) Write(statement);
//
// What was signed for a whole commit or batch is in the commit; an event's place in it is computed
// when it is asked for, once for all events of a tree. Not thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "federation/attestation/leaves.h"
#include "federation/attestation/merkle.h"
#include "federation/attestation/statement.h"
#include "gateway/event/record.h"

namespace cdgate::session {

class StatementSource {
 public:
  // Signs what the commit of our own events was not signed with; null: nobody does.
  using SignOrigin = std::function<std::optional<storage::v1::TreeSignature>(
      absl::Span<const attestation::Digest> leaves)>;

  // `sign` outlives it.
  StatementSource(std::string domain, const SignOrigin& sign)
      : domain_(std::move(domain)), sign_(sign) {}

  // The commit of the records that come next; it lives as long as they are asked for.
  void SetCommit(const event::Commit& commit);
  // Serialised, in the order in which they go with the event; empty where somebody who has to say
  // one did not. Good until the next call.
  absl::Span<const std::string> Of(const event::Record& record);

 private:
  void AddOwn(const event::Record& record);
  void AddReceived(const event::Record& record);
  void BuildOwn();
  std::optional<storage::v1::TreeSignature> Signature(
      absl::Span<const attestation::Digest> leaves) const;
  // The statement of the commit whose root begins so, its tree built; null: it has none.
  const storage::v1::ImportStatement* BuildBatch(absl::string_view root);

  const std::string domain_;
  const SignOrigin& sign_;
  attestation::LeafMaker leaves_;
  attestation::CopyView copy_;
  const event::Commit* commit_ = nullptr;
  bool own_built_ = false;
  std::optional<storage::v1::TreeSignature> own_signature_;  // none: nobody signs
  attestation::MerkleTree own_;     // over the events of the commit that were published here
  std::vector<size_t> own_places_;  // of each event of the commit among them
  std::string batch_root_;          // of the batch built last; empty: none of this commit
  const storage::v1::ImportStatement* batch_statement_ = nullptr;
  attestation::MerkleTree batch_;
  std::vector<std::string> statements_;
};

}  // namespace cdgate::session
