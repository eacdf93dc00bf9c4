// Dead letters of peers, over a store in memory.
#include "gateway/api/dead_letter_api.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/session/replay_jobs.h"
#include "gateway/rpc/bytes.h"
#include "gateway/rpc/router.h"
#include "tests/federation/manager/test_domain.h"
#include "tests/gateway/state/store_fixture.h"

namespace cdgate::api {
namespace {

using admin::v1::Direction;
using test::Published;
using test::Received;
using test::Resource;

constexpr char kBeta[] = "beta.example";

class DeadLetterApiTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    admin::v1::Peer peer;
    peer.set_domain(kBeta);
    CDGATE_ASSERT_OK(world_.Apply(Resource(state::kPeerKind, kBeta, peer.SerializeAsString())));
    api_ = std::make_unique<DeadLetterApi>("alpha.example", *world_.store, keeper_, world_.pool);
    CDGATE_ASSERT_OK(api_->Register(router_));
  }

  void SetPolicy(const std::string& text) {
    admin::v1::Policy policy;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &policy));
    policy.set_peer(kBeta);
    CDGATE_ASSERT_OK(world_.Apply(Resource(state::kPolicyKind, kBeta, policy.SerializeAsString())));
  }
  // An event of beta that our rules refused, and kept.
  void RefuseImport(const std::string& id) {
    state::Proposal proposal;
    storage::v1::DeadLetter letter;
    letter.set_reader("link/beta.example/import");
    letter.set_reason("denied_by_rule");
    *letter.mutable_event() = Received(id, "{}", world_.clock.Now());
    proposal.dead_letters.push_back(letter);
    storage::v1::ImportRefusal refusal;
    refusal.set_peer(kBeta);
    refusal.set_id(id);
    refusal.set_reason("denied_by_rule");
    proposal.refusals.push_back(refusal);
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  void FailExport(uint64_t sequence) {
    state::Proposal proposal;
    storage::v1::DeadLetter letter;
    letter.set_reader("link/beta.example/export");
    letter.set_sequence(sequence);
    letter.set_reason("too_old");
    proposal.dead_letters.push_back(letter);
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }

  template <typename Response, typename Request>
  absl::StatusOr<Response> Call(absl::string_view method, const Request& request) {
    const rpc::Router::Entry* const entry =
        router_.Find(absl::StrCat("/cdgate.admin.v1.AdminService/", method));
    if (entry == nullptr) return absl::UnimplementedError(method);
    auto call = std::make_shared<rpc::Call>();
    call->principal = authz::Principal::Local("root");
    const test::Answer<grpc::ByteBuffer> answer;
    entry->guarded.handler().unary(call, rpc::Serialise(request), answer.Taker());
    const auto bytes = answer.Wait();
    if (!bytes.ok()) return bytes.status();
    Response response;
    CDGATE_EXPECT_OK(rpc::Parse(*bytes, &response));
    return response;
  }
  admin::v1::ListPeerDeadLettersResponse List(Direction direction, int size = 0,
                                              const std::string& page = "") {
    admin::v1::ListPeerDeadLettersRequest request;
    request.set_peer(kBeta);
    request.set_direction(direction);
    request.set_page_size(size);
    request.set_page_token(page);
    return Call<admin::v1::ListPeerDeadLettersResponse>("ListPeerDeadLetters", request).value();
  }
  absl::StatusOr<admin::v1::RedrivePeerDeadLettersResponse> Redrive(
      const admin::v1::ListPeerDeadLettersResponse& letters) {
    admin::v1::RedrivePeerDeadLettersRequest request;
    request.set_peer(kBeta);
    for (const auto& letter : letters.dead_letters()) *request.add_keys() = letter.key();
    return Call<admin::v1::RedrivePeerDeadLettersResponse>("RedrivePeerDeadLetters", request);
  }
  uint64_t Imported(const std::string& state) {
    uint64_t count = 0;
    for (const auto& outcome : world_.store->Counters(kBeta).imported) {
      if (outcome.state() == state) count += outcome.count();
    }
    return count;
  }

  test::StoreWorld world_;
  session::PseudonymKeeper keeper_ = *session::PseudonymKeeper::Create(
      std::string(crypto::SivSealer::kKeyBytes, 'k'), base::SystemRandom());
  rpc::Router router_;
  std::unique_ptr<DeadLetterApi> api_;
};

TEST_F(DeadLetterApiTest, ListsByDirectionInPages) {
  for (const char* id : {"a", "b", "c"}) RefuseImport(id);
  const auto first = List(admin::v1::DIRECTION_IMPORT, 2);
  ASSERT_EQ(first.dead_letters_size(), 2);
  EXPECT_EQ(first.dead_letters(0).event().id(), "a");
  EXPECT_EQ(first.dead_letters(0).reason(), "denied_by_rule");
  EXPECT_TRUE(first.dead_letters(0).redrivable());
  const auto second = List(admin::v1::DIRECTION_IMPORT, 2, first.next_page_token());
  ASSERT_EQ(second.dead_letters_size(), 1);
  EXPECT_EQ(second.dead_letters(0).event().id(), "c");
  EXPECT_EQ(List(admin::v1::DIRECTION_EXPORT).dead_letters_size(), 0);
}

TEST_F(DeadLetterApiTest, WhatThePolicyAllowsNowIsImported) {
  RefuseImport("a");
  EXPECT_EQ(Imported("refused"), 1u);
  SetPolicy("import { rules { name: 'all' action: ACTION_ALLOW } }");
  const auto answer = Redrive(List(admin::v1::DIRECTION_IMPORT));
  CDGATE_ASSERT_OK(answer.status());
  EXPECT_EQ(answer->results(0).state(), "accepted");
  EXPECT_EQ(answer->results(0).sequence(), 1u);
  EXPECT_EQ(List(admin::v1::DIRECTION_IMPORT).dead_letters_size(), 0);
  const auto taken = world_.store->ReadEvent(base::Sequence(1));
  CDGATE_ASSERT_OK(taken.status());
  EXPECT_EQ(taken->record->stored().import_rule(), "all@1");
  EXPECT_EQ(Imported("refused"), 0u) << "it is none any more";
  EXPECT_EQ(Imported("accepted"), 1u);
}

TEST_F(DeadLetterApiTest, WhatThePolicyStillDeniesIsKept) {
  RefuseImport("a");
  SetPolicy("import { rules { name: 'none' action: ACTION_DENY } }");
  const auto answer = Redrive(List(admin::v1::DIRECTION_IMPORT));
  CDGATE_ASSERT_OK(answer.status());
  EXPECT_EQ(answer->results(0).state(), "kept");
  EXPECT_EQ(answer->results(0).reason(), "denied_by_rule");
  EXPECT_EQ(List(admin::v1::DIRECTION_IMPORT).dead_letters_size(), 1);
  EXPECT_EQ(Imported("refused"), 1u);
}

TEST_F(DeadLetterApiTest, WhatCouldNotBeSentIsOfferedAgain) {
  (void)world_.Publish("one");
  (void)world_.Publish("two");
  FailExport(2);
  FailExport(1);
  const auto answer = Redrive(List(admin::v1::DIRECTION_EXPORT));
  CDGATE_ASSERT_OK(answer.status());
  EXPECT_EQ(answer->results(0).state(), "offered");
  EXPECT_EQ(answer->results(1).state(), "offered");
  EXPECT_EQ(List(admin::v1::DIRECTION_EXPORT).dead_letters_size(), 0);
  const auto jobs = session::ReplayJobsOf(*world_.store->Resources(), kBeta);
  CDGATE_ASSERT_OK(jobs.status());
  ASSERT_EQ(jobs->jobs_size(), 1);
  EXPECT_EQ(jobs->jobs(0).number(), 1u);
  EXPECT_THAT(jobs->jobs(0).sequences(), testing::ElementsAre(1u, 2u));
}

TEST_F(DeadLetterApiTest, WhatIsGoneCannotBeOffered) {
  FailExport(77);
  const auto listed = List(admin::v1::DIRECTION_EXPORT);
  ASSERT_EQ(listed.dead_letters_size(), 1);
  EXPECT_FALSE(listed.dead_letters(0).redrivable());
  const auto answer = Redrive(listed);
  CDGATE_ASSERT_OK(answer.status());
  EXPECT_EQ(answer->results(0).state(), "kept");
  EXPECT_EQ(answer->results(0).reason(), "trimmed");
}

TEST_F(DeadLetterApiTest, DropsOnlyWhatThereIs) {
  RefuseImport("a");
  admin::v1::DropPeerDeadLettersRequest request;
  request.set_peer(kBeta);
  *request.add_keys() = List(admin::v1::DIRECTION_IMPORT).dead_letters(0).key();
  const auto dropped = Call<admin::v1::DropPeerDeadLettersResponse>("DropPeerDeadLetters", request);
  CDGATE_ASSERT_OK(dropped.status());
  EXPECT_EQ(dropped->dropped(), 1u);
  EXPECT_THAT(Call<admin::v1::DropPeerDeadLettersResponse>("DropPeerDeadLetters", request),
              test::HasReason(base::Reason::kNotFound));
  request.set_peer("gamma.example");
  EXPECT_THAT(Call<admin::v1::DropPeerDeadLettersResponse>("DropPeerDeadLetters", request),
              test::HasReason(base::Reason::kNoAgreement));
}

}  // namespace
}  // namespace cdgate::api
