// Commitments, field proofs and trees.
#include "absl/strings/str_replace.h"
#include "tests/federation/attestation/vectors.h"

namespace cdgate::attestation {
namespace {

std::string EventOf(absl::string_view data) {
  CloudEvent event;
  event.set_id("1");
  event.set_source("/a");
  event.set_spec_version("1.0");
  event.set_type("dev.cdevents.build.finished.0.2.0");
  event.set_binary_data(std::string(data));
  return test::Canonical(event);
}

constexpr char kWhole[] =
    R"({"context":{"id":"1","source":"/a"},"n":1.50,"o":{"p":{"q":"secret"},"r":[1,{"s":2},3]}})";

CopyView ViewOf(const std::string& cloud_event, const Pointers& withheld,
                const Pointers& substituted) {
  event::CloudEventView view;
  EXPECT_TRUE(view.Assign(cloud_event));
  CopyView copy;
  copy.Assign(view, withheld, substituted);
  return copy;
}

}  // namespace

void Vectors::AddCommitments() {
  const std::string data = R"({"a":1})";
  Add("content commitment", "a small object",
      JsonTree::Object({{"salt", Hex(salt_)},
                        {"data", Base64(data)},
                        {"commitment", Hex(event::Commitment(salt_, crypto::Sha256(data)))}}));
  AddFields("an event with attributes of most kinds", test::Canonical(StoryEvent()));
  AddFields("an array", EventOf(R"({"a":["x",{}],"b":-0.0})"));
  AddFields("an object with the same pointers", EventOf(R"({"a":{"0":"x","1":{}},"b":-0.0})"));
  AddFields("an event without data", EventOf("{ }"));
  AddFields("names to escape",
            EventOf("{\"a/b~c\":1,\"\\u00e9\\n\":\"\\ud83d\\ude00\",\"\":[[]],\"~20\":null}"));
  CloudEvent event;
  ASSERT_TRUE(event.ParseFromString(EventOf("[true]")));
  auto& attributes = *event.mutable_attributes();
  attributes["by"].set_ce_bytes(std::string("\0\xff", 2));
  attributes["ref"].set_ce_uri_ref("a/b");
  attributes["uri"].set_ce_uri("urn:x:y");
  attributes["zz"].mutable_ce_timestamp()->set_seconds(-5);
  attributes["zz"].mutable_ce_timestamp()->set_nanos(999'999'999);
  AddFields("bytes, URIs and a time before 1970", test::Canonical(event));
}

void Vectors::AddFields(absl::string_view name, const std::string& cloud_event) {
  event::CloudEventView view;
  ASSERT_TRUE(view.Assign(cloud_event));
  JsonTree fields = JsonTree::Array();
  event::FieldReader reader;
  for (reader.Start(view); reader.Next();) {
    fields.items.push_back(
        JsonTree::Array({JsonTree::Text(reader.name()), Base64(reader.value())}));
  }
  Add("fields", name,
      JsonTree::Object({{"salt", Hex(salt_)},
                        {"cloud_event", Base64(cloud_event)},
                        {"fields", std::move(fields)},
                        {"attributes_digest", Hex(committer_.AttributesDigest(view))},
                        {"commitment", Hex(committer_.Commit(salt_, view).value())}}));
}

// ------------------------------------------------------------------ field proofs

void Vectors::AddProof(absl::string_view name, const std::string& cloud_event,
                       const Pointers& withheld, const Pointers& substituted,
                       const std::string& proof, bool expected) {
  const auto found = prover_.Verify(ViewOf(cloud_event, withheld, substituted), proof);
  EXPECT_EQ(found.ok() && AsBytes(*found) == committed_, expected) << name << found.status();
  Add("field proof", name,
      JsonTree::Object({{"cloud_event", Base64(cloud_event)},
                        {"withheld", Texts(withheld)},
                        {"substituted", Texts(substituted)},
                        {"proof", Base64(proof)},
                        {"commitment", Hex(committed_)},
                        {"verdict", Verdict(expected)}}));
}

void Vectors::AddProofs() {
  const std::string whole = EventOf(kWhole);
  const event::CloudEventView original = ViewOf(whole, {}, {}).event;
  committed_ = std::string(AsBytes(committer_.Commit(salt_, original).value()));
  const auto add = [&](absl::string_view name, absl::string_view data, const Pointers& withheld,
                       const Pointers& substituted) {
    const std::string copy = EventOf(data);
    const std::string proof =
        prover_.Alter(original, salt_, ViewOf(copy, withheld, substituted)).value();
    AddProof(name, copy, withheld, substituted, proof, true);
    return proof;
  };
  add("all kept", kWhole, {}, {});
  add("one withheld", absl::StrReplaceAll(kWhole, {{R"("n":1.50,)", ""}}), {"/n"}, {});
  add("one substituted", absl::StrReplaceAll(kWhole, {{"secret", "p1.aaaa"}}), {}, {"/o/p/q"});
  add("an object of which nothing is left", absl::StrReplaceAll(kWhole, {{R"("q":"secret")", ""}}),
      {"/o/p/q"}, {});
  add("nested withheld things", R"({"context":{"id":"1","source":"/a"},"n":1.50,"o":{}})",
      {"/o/p", "/o/r", "/o/p/q"}, {});
  add("an element that was withheld", absl::StrReplaceAll(kWhole, {{R"({"s":2})", "null"}}),
      {"/o/r/1"}, {});
  add("white space is not committed to", absl::StrReplaceAll(kWhole, {{",", " ,\n"}}), {}, {});
  // B withholds, then C substitutes and withholds what B had left of the object.
  const std::string once = EventOf(absl::StrReplaceAll(kWhole, {{R"("q":"secret")", ""}}));
  const std::string first = prover_.Alter(original, salt_, ViewOf(once, {"/o/p/q"}, {})).value();
  const std::string twice =
      EventOf(R"({"context":{"id":"1","source":"/a"},"n":"p2.bbbb","o":{"r":[1,{"s":2},3]}})");
  const Pointers gone = {"/o/p", "/o/p/q"};
  const std::string second =
      prover_.AlterAgain(ViewOf(once, {"/o/p/q"}, {}), first, ViewOf(twice, gone, {"/n"})).value();
  AddProof("altered twice", twice, gone, {"/n"}, second, true);
  AddBadProofs();
}

void Vectors::AddBadProofs() {
  const std::string whole = EventOf(kWhole);
  const event::CloudEventView original = ViewOf(whole, {}, {}).event;
  const std::string left = absl::StrReplaceAll(kWhole, {{R"("q":"secret")", ""}});
  const Pointers gone = {"/o/p/q"};
  const std::string proof = prover_.Alter(original, salt_, ViewOf(EventOf(left), gone, {})).value();
  const auto bad = [&](absl::string_view name, absl::string_view from, absl::string_view to,
                       const Pointers& withheld, const Pointers& substituted = {}) {
    const std::string data = absl::StrReplaceAll(left, {{from, to}});
    EXPECT_NE(data, left) << name;
    AddProof(name, EventOf(data), withheld, substituted, proof, false);
  };
  AddProof("a withheld field, not listed", EventOf(left), {}, {}, proof, false);
  bad("a changed kept field", "1.50", "1.5", gone);
  bad("a re-inserted dropped field", R"("p":{})", R"("p":{"q":"secret"})", gone);
  bad("another value in place of a dropped field", R"("p":{})", R"("p":{"q":"x"})", gone);
  bad("an added field", R"("n":1.50)", R"("m":0,"n":1.50)", gone);
  bad("an added empty object", R"("n":1.50)", R"("m":{},"n":1.50)", {"/o/p/q", "/m/x"});
  bad("a renamed member", R"("n":)", R"("N":)", gone);
  bad("members in another order", R"("id":"1","source":"/a")", R"("source":"/a","id":"1")", gone);
  bad("an array that became an object", R"([1,{"s":2},3])", R"({"0":1,"1":{"s":2},"2":3})", gone);
  bad("a substitute that is not listed", "1.50", R"("p1.aaaa")", gone);
  bad("a substitute that is listed, of a field that was kept", "1.50", R"("p1.aaaa")", gone,
      {"/n"});
  AddProof("a proof that ends early", EventOf(left), gone, {}, proof.substr(0, proof.size() - 40),
           false);
  federation::v1::FieldProof changed;
  ASSERT_TRUE(changed.ParseFromString(proof));
  changed.mutable_kinds()->back() = 3;
  AddProof("an unknown kind", EventOf(left), gone, {}, changed.SerializeAsString(), false);
  ASSERT_TRUE(changed.ParseFromString(proof));
  changed.mutable_values()->append(16, 'v');
  AddProof("more values than fields", EventOf(left), gone, {}, changed.SerializeAsString(), false);
  ASSERT_TRUE(changed.ParseFromString(proof));
  changed.mutable_values()->front() ^= 1;
  AddProof("another salt of a field", EventOf(left), gone, {}, changed.SerializeAsString(), false);
  // The source, which is field 2, replaced with a proof that is right but for that.
  ASSERT_TRUE(
      changed.ParseFromString(prover_.Alter(original, salt_, ViewOf(whole, {}, {})).value()));
  event::FieldHasher hasher;
  const Digest digest = hasher.Field(changed.values().substr(32, 16), "/context/source", R"("/a")");
  (*changed.mutable_kinds())[2] = 2;
  changed.mutable_values()->replace(32, 16, std::string(AsBytes(digest)));
  AddProof("a substitute for the source",
           EventOf(absl::StrReplaceAll(kWhole, {{R"("/a")", R"("/b")"}})), {}, {"/context/source"},
           changed.SerializeAsString(), false);
}

// ------------------------------------------------------------------ trees

void Vectors::AddTrees() {
  for (const uint32_t count : {1u, 2u, 3u, 5u, 256u}) {
    std::vector<Digest> leaves;
    JsonTree listed = JsonTree::Array(), inclusions = JsonTree::Array();
    for (uint32_t i = 0; i < count; ++i) {
      leaves.push_back(*ReadDigest(crypto::Sha256(absl::StrCat("leaf ", i))));
      listed.items.push_back(Hex(leaves.back()));
    }
    MerkleTree tree;
    tree.Build(leaves, test::FixedSeed("tree"));
    for (uint32_t i = 0; i<count; i += count> 5 ? 85 : 1) {
      const Inclusion at = tree.Prove(i);
      inclusions.items.push_back(JsonTree::Array({Number(i), Number(at.index), Hex(at.path)}));
    }
    Add("tree", absl::StrCat(count, " leaves"),
        JsonTree::Object({{"seed", Hex(test::FixedSeed("tree"))},
                          {"leaves", std::move(listed)},
                          {"root", Hex(tree.root())},
                          {"inclusions", std::move(inclusions)}}));
  }
}

}  // namespace cdgate::attestation
