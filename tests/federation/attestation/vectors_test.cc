// The rolling digest, receipts, and the file as a whole.
#include "tests/federation/attestation/vectors.h"
#include "gateway/base/file.h"
#include "tests/support/golden.h"

namespace cdgate::attestation {

void Vectors::AddLinks() {
  Digest before{};
  uint64_t first = 1;
  for (const uint32_t count : {1u, 48u, 3u}) {
    const std::string seed = test::FixedSeed(absl::StrCat("batch ", first));
    const Digest root = *ReadDigest(crypto::Sha256(absl::StrCat("root ", first)));
    const Digest link = LinkDigest({.seed = seed,
                                    .agreement = "agreement-1",
                                    .link_epoch = "epoch-1",
                                    .first_position = first,
                                    .count = count,
                                    .before = before});
    const Digest after = NextDigest(before, first, count, root);
    Add("link", absl::StrCat("the batch at ", first),
        JsonTree::Object({{"seed", Hex(seed)},
                          {"agreement", JsonTree::Text("agreement-1")},
                          {"link_epoch", JsonTree::Text("epoch-1")},
                          {"first_position", Number(static_cast<int64_t>(first))},
                          {"count", Number(count)},
                          {"before", Hex(before)},
                          {"root", Hex(root)},
                          {"link", Hex(link)},
                          {"after", Hex(after)}}));
    before = after;
    first += count;
  }
}

// One that is in the file already where it verifies: by P-256 each is another.
std::string Vectors::StoredSignature(absl::string_view name, const std::string& signer,
                                     absl::string_view text) {
  const test::TestAttestor& attestor = test::AttestorOf(signer);
  const auto file = base::ReadFile(kVectorsFile);
  if (!file.ok()) return attestor.Sign(text);
  const JsonTree whole = test::ParseJsonTree(*file);
  for (const JsonTree& vector : whole.Find("vectors")->items) {
    if (vector.Find("name")->text != name) continue;
    std::string signature;
    if (absl::Base64Unescape(vector.Find("signature")->text, &signature) &&
        AttestorKey(*attestor.certificate).Fits(text, signature)) {
      return signature;
    }
  }
  return attestor.Sign(text);
}

void Vectors::AddReceipt(absl::string_view name, const std::string& signer,
                         const ReceiptClaim& claim, const std::string& signature, bool expected) {
  const std::string& key_id = test::AttestorOf(signer).key_id;
  EXPECT_EQ(verifier_.statements()
                .VerifySignature(claim.receiver, key_id, claim.sign_time_nanos, ReceiptText(claim),
                                 signature)
                .ok(),
            expected)
      << name;
  Add("receipt", name,
      JsonTree::Object({{"receiver", JsonTree::Text(claim.receiver)},
                        {"sender", JsonTree::Text(claim.sender)},
                        {"agreement", JsonTree::Text(claim.agreement)},
                        {"link_epoch", JsonTree::Text(claim.link_epoch)},
                        {"position", Number(static_cast<int64_t>(claim.position))},
                        {"digest", Hex(claim.digest)},
                        {"sign_time_nanos", JsonTree::Text(absl::StrCat(claim.sign_time_nanos))},
                        {"key_id", Hex(key_id)},
                        {"signature", Base64(signature)},
                        {"verdict", Verdict(expected)}}));
}

void Vectors::AddReceipts() {
  const Digest digest = *ReadDigest(crypto::Sha256("rolling"));
  ReceiptClaim claim{.receiver = kBeta,
                     .sender = kAlpha,
                     .agreement = "agreement-1",
                     .link_epoch = "epoch-1",
                     .position = 52,
                     .digest = digest,
                     .sign_time_nanos = test::kSignTime};
  const std::string signature = test::AttestorOf(kBeta).Sign(ReceiptText(claim));
  AddReceipt("of an Ed25519 key", kBeta, claim, signature, true);
  AddReceipt("under the key of another domain", kAlpha, claim, signature, false);
  claim.position = 53;
  AddReceipt("of another position", kBeta, claim, signature, false);
  claim.position = 52;
  claim.sender = kGamma;
  AddReceipt("for another sender", kBeta, claim, signature, false);
  claim.receiver = kGamma;
  claim.sender = kAlpha;
  const std::string name = "of a P-256 key";
  const std::string stored = StoredSignature(name, kGamma, ReceiptText(claim));
  AddReceipt(name, kGamma, claim, stored, true);
  claim.link_epoch = "epoch-2";
  AddReceipt("of another epoch, of a P-256 key", kGamma, claim, stored, false);
}

void Vectors::AddCount(absl::string_view name, const federation::v1::OriginCount& count,
                       const std::vector<Digest>& commitments, bool expected) {
  EXPECT_EQ(verifier_.statements()
                .VerifySignature(count.origin(), count.key_id(), count.sign_time_nanos(),
                                 OriginCountText(count), count.signature())
                .ok(),
            expected)
      << name;
  JsonTree list = JsonTree::Array();
  for (const Digest& commitment : commitments) list.items.push_back(Hex(commitment));
  Add("count", name,
      JsonTree::Object({{"origin", JsonTree::Text(count.origin())},
                        {"destination", JsonTree::Text(count.destination())},
                        {"through", JsonTree::Text(count.through())},
                        {"request_id", Hex(count.request_id())},
                        {"from_nanos", JsonTree::Text(absl::StrCat(count.from_nanos()))},
                        {"until_nanos", JsonTree::Text(absl::StrCat(count.until_nanos()))},
                        {"commitments", std::move(list)},
                        {"sign_time_nanos", JsonTree::Text(absl::StrCat(count.sign_time_nanos()))},
                        {"key_id", Hex(count.key_id())},
                        {"signature", Base64(count.signature())},
                        {"verdict", Verdict(expected)}}));
}

void Vectors::AddCounts() {
  CountedEvents counted{test::kSignTime - 2'000'000'000, test::kSignTime - 1'000'000'000, {}};
  for (const char* name : {"one", "two", "three"}) {
    counted.commitments.push_back(*ReadDigest(crypto::Sha256(name)));
  }
  SortCommitments(&counted.commitments);
  const test::TestAttestor& alpha = test::AttestorOf(kAlpha);
  const auto made = [&](const std::string& through, const CountedEvents& events) {
    auto count = CountOf({.origin = kAlpha,
                          .destination = kGamma,
                          .through = through,
                          .id = test::FixedSeed("count")},
                         events);
    count.set_sign_time_nanos(test::kSignTime);
    count.set_key_id(alpha.key_id);
    return count;
  };
  auto count = made(kBeta, counted);
  count.set_signature(alpha.Sign(OriginCountText(count)));
  AddCount("of three events, through a transit", count, counted.commitments, true);
  CountedEvents two = counted;
  two.commitments.pop_back();
  auto other = made(kBeta, two);
  other.set_signature(count.signature());
  AddCount("with one left out", other, two.commitments, false);
  other = made("", counted);
  other.set_signature(count.signature());
  AddCount("of all ways, signed of one", other, counted.commitments, false);
  auto none = made("", {counted.from_nanos, counted.until_nanos, {}});
  none.set_signature(alpha.Sign(OriginCountText(none)));
  AddCount("of nothing", none, {}, true);
}

void Vectors::AddAll() {
  AddCommitments();
  AddProofs();
  AddTrees();
  AddChains();
  AddLinks();
  AddReceipts();
  AddCounts();
}

std::string Vectors::Text() const {
  std::string file = "{\n\"bundles\": {";
  JsonTree attestors = JsonTree::Array();
  const char* separator = "\n";
  for (const auto& [domain, attestor] : test::AllAttestors()) {
    attestors.items.push_back(JsonTree::Text(attestor.certificate_pem));
    if (domain == "rogue.example") continue;
    absl::StrAppend(&file, separator, JsonTree::Text(domain).ToText(), ": ",
                    JsonTree::Text(attestor.bundle_pem).ToText());
    separator = ",\n";
  }
  absl::StrAppend(&file, "\n},\n\"attestors\": ", attestors.ToText(), ",\n\"vectors\": [");
  separator = "\n";
  for (const std::string& vector : vectors_) {
    absl::StrAppend(&file, separator, vector);
    separator = ",\n";
  }
  return absl::StrCat(file, "\n]\n}\n");
}

TEST(VectorsTest, AreAsTheyAreInTheFile) {
  Vectors vectors;
  vectors.AddAll();
  EXPECT_TRUE(test::MatchesGolden(kVectorsFile, vectors.Text()));
}

}  // namespace cdgate::attestation
