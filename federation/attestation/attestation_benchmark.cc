// What statements cost: commitments where events are admitted, leaves, a tree and a signature for
// each batch, and proofs of altered copies.
#include <benchmark/benchmark.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "auth/crypto/certificate_authority.h"
#include "auth/crypto/signature.h"
#include "auth/crypto/verifying_key.h"
#include "federation/attestation/field_proof.h"
#include "federation/attestation/leaf_batch.h"
#include "federation/attestation/merkle.h"
#include "gateway/event/event_fields.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::attestation {
namespace {

const std::string& Salt() {
  static const auto* const salt = new std::string(event::kSaltBytes, 's');
  return *salt;
}

constexpr char kTeam[] = R"("team":"red",)";

// A kilobyte in some thirty fields.
std::string SomeEvent(bool whole) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id("271069a8-fc18-44f1-b38f-9d70a1695819");
  event.set_source("/alpha/ci");
  event.set_spec_version("1.0");
  event.set_type("dev.cdevents.artifact.packaged.0.3.0");
  (*event.mutable_attributes())["subject"].set_ce_string("pkg:oci/app@sha256%3Aabc");
  (*event.mutable_attributes())["datacontenttype"].set_ce_string("application/json");
  (*event.mutable_attributes())["time"].mutable_ce_timestamp()->set_seconds(1767225600);
  std::string labels;
  for (int i = 0; i < 12; ++i) {
    absl::StrAppend(&labels, R"("label)", i, R"(":"some value of label )", i, R"(",)");
  }
  event.set_binary_data(absl::StrCat(
      R"({"context":{"version":"0.5.1","id":"271069a8-fc18-44f1-b38f-9d70a1695819",)"
      R"("source":"/alpha/ci","type":"dev.cdevents.artifact.packaged.0.3.0",)"
      R"("timestamp":"2026-01-01T00:00:00Z","chainId":"4c8cb7dd-3448-41de-8768-eec704e2829b",)"
      R"("links":[{"linkType":"PATH","from":{"contextId":"5328c37f-bb7e-4bb7-84ea-9f5f85e4a7ce"}}]},)"
      R"("subject":{"id":"pkg:oci/app@sha256%3Aabc","type":"artifact","content":{"change":{)"
      R"("id":"change-1","source":"/alpha/scm"}}},"customData":{)",
      whole ? kTeam : "", R"("cost":1.50,"labels":{)", labels, R"("last":[1,2,3]}}})"));
  return event.SerializeAsString();
}

event::CloudEventView ViewOf(const std::string& bytes) {
  event::CloudEventView view;
  view.Assign(bytes);
  return view;
}

void CommitToFields(benchmark::State& state) {
  const std::string bytes = SomeEvent(true);
  const event::CloudEventView view = ViewOf(bytes);
  event::FieldCommitter committer;
  for (auto _ : state) benchmark::DoNotOptimize(committer.Commit(Salt(), view));
  state.counters["event_bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(CommitToFields);

void DigestOfAttributes(benchmark::State& state) {
  const std::string bytes = SomeEvent(true);
  const event::CloudEventView view = ViewOf(bytes);
  event::FieldCommitter committer;
  for (auto _ : state) benchmark::DoNotOptimize(committer.AttributesDigest(view));
}
BENCHMARK(DigestOfAttributes);

// What a sender does for a batch, but for the signature. The content digest is at hand, or the
// receiver's to make.
void LeavesAndTreeOfBatch(benchmark::State& state, bool content_known) {
  constexpr uint32_t kEvents = 48;
  const std::string bytes = SomeEvent(true);
  const std::string commitment(crypto::kSha256Bytes, 'c');
  const EventClaim claim{.origin = "alpha.example",
                         .commitment = commitment,
                         .accepted_time_nanos = 1,
                         .plane = "ci",
                         .classification = "TLP:GREEN"};
  CopyView copy;
  copy.Assign(ViewOf(bytes), std::vector<std::string>(), std::vector<std::string>());
  LeafMaker leaves;
  MerkleTree tree;
  LeafBatch batch;
  const Digest content = leaves.ContentOf(copy.event);
  for (auto _ : state) {
    batch.Reset(Salt());
    for (uint32_t i = 0; i < kEvents; ++i) {
      batch.Add(copy, claim, content_known ? &content : nullptr, {}, Digest{});
    }
    tree.Build(batch.Leaves(), Salt());
    benchmark::DoNotOptimize(tree.root());
  }
  state.counters["per_event"] = benchmark::Counter(
      kEvents, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(LeavesAndTreeOfBatch, content_known, true);
BENCHMARK_CAPTURE(LeavesAndTreeOfBatch, content_hashed, false);

struct Altered {
  Altered() {
    original = ViewOf(whole);
    copy.Assign(ViewOf(left), std::vector<absl::string_view>{"/customData/team"},
                std::vector<absl::string_view>());
    proof = prover.Alter(original, Salt(), copy).value();
  }
  const std::string whole = SomeEvent(true);
  const std::string left = SomeEvent(false);
  event::CloudEventView original;
  CopyView copy;
  FieldProver prover;
  std::string proof;
};

void MakeFieldProof(benchmark::State& state) {
  Altered altered;
  for (auto _ : state) {
    benchmark::DoNotOptimize(altered.prover.Alter(altered.original, Salt(), altered.copy));
  }
  state.counters["proof_bytes"] = static_cast<double>(altered.proof.size());
}
BENCHMARK(MakeFieldProof);

void VerifyFieldProof(benchmark::State& state) {
  Altered altered;
  for (auto _ : state) {
    benchmark::DoNotOptimize(altered.prover.Verify(altered.copy, altered.proof));
  }
}
BENCHMARK(VerifyFieldProof);

void InclusionInTree(benchmark::State& state) {
  std::vector<Digest> leaves(48);
  for (size_t i = 0; i < leaves.size(); ++i) leaves[i].fill(static_cast<uint8_t>(i));
  MerkleTree tree;
  tree.Build(leaves, Salt());
  const Inclusion at = tree.Prove(7);
  crypto::Sha256Hasher hasher;
  for (auto _ : state) {
    benchmark::DoNotOptimize(RootOf(leaves[7], at.index, at.path, hasher));
  }
}
BENCHMARK(InclusionInTree);

struct Attestor {
  Attestor() {
    const auto root = crypto::CertificateAuthority::InitRoot("alpha.example", {}, absl::Now());
    const auto ca = crypto::CertificateAuthority::Load(root->certificate_pem, root->key_pem);
    crypto::LeafRequest request;
    request.uri_names = {"spiffe://alpha.example/attestor/a1"};
    issued = ca->Issue(request, absl::Now()).value();
    key.emplace(crypto::Certificate::FromPem(issued.certificate_pem).value());
  }
  crypto::IssuedCertificate issued;
  std::optional<crypto::VerifyingKey> key;
};

void SignText(benchmark::State& state) {
  const Attestor attestor;
  const auto key = crypto::PrivateKey::FromPem(attestor.issued.key_pem).value();
  for (auto _ : state) benchmark::DoNotOptimize(crypto::SignBytes(key, "text"));
}
BENCHMARK(SignText);

void VerifyText(benchmark::State& state, bool prepared) {
  Attestor attestor;
  if (prepared) attestor.key->Prepare();
  const auto key = crypto::PrivateKey::FromPem(attestor.issued.key_pem).value();
  const std::string signature = crypto::SignBytes(key, "text").value();
  for (auto _ : state) benchmark::DoNotOptimize(attestor.key->Fits("text", signature));
}
BENCHMARK_CAPTURE(VerifyText, by_openssl, false);
BENCHMARK_CAPTURE(VerifyText, prepared, true);

void PrepareKey(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    Attestor attestor;
    state.ResumeTiming();
    benchmark::DoNotOptimize(attestor.key->Prepare());
  }
}
BENCHMARK(PrepareKey);

}  // namespace
}  // namespace cdgate::attestation
