// testdata/vectors.json: every format of docs/attestation.md with examples that verify and that do
// not, for verifiers that are written from the document (deploy/examples/verify_attestation.py).
//
//   Vectors vectors;
//   vectors.AddAll();                     // fails the test where one is not judged as it says
//   vectors.Text();
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "federation/attestation/chain.h"
#include "federation/attestation/leaves.h"
#include "federation/attestation/origin_count.h"
#include "federation/attestation/signed_text.h"
#include "gateway/event/digests.h"
#include "gateway/event/event_fields.h"
#include "tests/federation/attestation/attestors.h"
#include "tests/federation/attestation/story.h"
#include "tests/support/json_tree.h"

namespace cdgate::attestation {

using event::AsBytes;
using federation::v1::RelayedEvent;
using test::Accept;
using test::Holding;
using test::JsonTree;
using test::Send;
using test::StoryEvent;
using CloudEvent = io::cloudevents::v1::CloudEvent;
using Pointers = std::vector<std::string>;

inline constexpr char kVectorsFile[] = "tests/federation/attestation/testdata/vectors.json";
inline constexpr char kAlpha[] = "alpha.example";
inline constexpr char kBeta[] = "beta.example";
inline constexpr char kGamma[] = "gamma.example";

inline JsonTree Hex(absl::string_view bytes) {
  return JsonTree::Text(absl::BytesToHexString(bytes));
}
inline JsonTree Hex(const Digest& digest) { return Hex(AsBytes(digest)); }
inline JsonTree Base64(absl::string_view bytes) {
  return JsonTree::Text(absl::Base64Escape(bytes));
}
inline JsonTree Number(int64_t value) { return JsonTree::Raw(absl::StrCat(value)); }
inline JsonTree Texts(const Pointers& texts) {
  JsonTree out = JsonTree::Array();
  for (const std::string& text : texts) out.items.push_back(JsonTree::Text(text));
  return out;
}
inline JsonTree Verdict(bool valid) { return JsonTree::Text(valid ? "valid" : "invalid"); }

class Vectors {
 public:
  void AddAll();
  std::string Text() const;

 private:
  void Add(absl::string_view kind, absl::string_view name, JsonTree vector) {
    JsonTree whole =
        JsonTree::Object({{"kind", JsonTree::Text(kind)}, {"name", JsonTree::Text(name)}});
    for (auto& member : vector.members) whole.members.push_back(std::move(member));
    vectors_.push_back(whole.ToText());
  }

  void AddCommitments();
  void AddFields(absl::string_view name, const std::string& cloud_event);
  void AddProofs();
  void AddBadProofs();
  void AddProof(absl::string_view name, const std::string& cloud_event, const Pointers& withheld,
                const Pointers& substituted, const std::string& proof, bool expected);
  void AddTrees();
  void AddChains();
  void AddLies();
  void AddTermsAndKeys();
  void AddChain(absl::string_view name, const Holding& holding, absl::string_view expected);
  std::string JudgeChain(const Holding& holding);
  void AddLinks();
  void AddReceipts();
  void AddCounts();
  void AddCount(absl::string_view name, const federation::v1::OriginCount& count,
                const std::vector<Digest>& commitments, bool expected);
  void AddReceipt(absl::string_view name, const std::string& signer, const ReceiptClaim& claim,
                  const std::string& signature, bool expected);
  std::string StoredSignature(absl::string_view name, const std::string& signer,
                              absl::string_view text);

  // The copy of `holding` changed by whoever passes it on, who signs it as it is then.
  static Holding Lie(Holding holding, const std::function<void(RelayedEvent*)>& change);
  static void ChangeData(RelayedEvent* event, absl::string_view from, absl::string_view to);

  const std::string salt_ = test::FixedSeed("vectors");
  std::vector<std::string> vectors_;
  event::FieldCommitter committer_;
  FieldProver prover_;
  test::FakeKeys keys_;
  ChainVerifier verifier_{keys_};
  std::string committed_;  // the commitment that proofs are judged by
};

}  // namespace cdgate::attestation
