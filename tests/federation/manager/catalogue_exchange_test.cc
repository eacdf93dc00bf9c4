// What two gateways tell each other of what they offer and ask for, without a link between them.
#include "federation/manager/catalogue_exchange.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/link/config.h"
#include "federation/manager/access_requests.h"
#include "federation/manager/timestamp.h"
#include "tests/federation/manager/group_testing.h"

namespace cdgate::manager {
namespace {

using admin::v1::AccessRequest;
using federation::v1::Catalogue;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kAlpha[] = "alpha.example";
constexpr char kBeta[] = "beta.example";

struct Side {
  Side(const std::string& domain, test::FakeClock& clock)
      : node(domain, clock), given(dir.File("given"), clock) {
    CDGATE_EXPECT_OK(given.Open());
  }
  void Policy(const std::string& peer, const std::string& rules) {
    admin::v1::Policy policy;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        absl::StrCat("peer: '", peer, "' export {", rules, "}"), &policy));
    CDGATE_EXPECT_OK(node.Apply({.kind = state::kPolicyKind,
                                 .name = peer,
                                 .value = policy.SerializeAsString(),
                                 .author = "ann"})
                         .status);
  }
  std::vector<AccessRequest> Requests(const char* kind, const char* peer) {
    return AccessRequestsOf(*node.store().Resources(), kind, peer);
  }
  // What was proposed before is committed.
  void Settle() {
    CDGATE_EXPECT_OK(
        node.Apply({.kind = "mark", .name = "mark", .value = "x", .author = "ann"}).status);
  }
  void Put(const char* kind, const AccessRequest& request) {
    CDGATE_EXPECT_OK(node.Apply({.kind = kind,
                                 .name = AccessName(request.peer(), request.id()),
                                 .value = request.SerializeAsString(),
                                 .author = "ann"})
                         .status);
  }

  test::TempDir dir;
  test::GroupNode node;
  GivenBook given;
};

class CatalogueExchangeTest : public testing::Test {
 protected:
  CatalogueExchangeTest() {
    alpha_.node.PeerWith(beta_.node);
    beta_.node.PeerWith(alpha_.node);
  }

  std::vector<std::string> Offered() {
    std::vector<std::string> out;
    const auto catalogue = ours_.For(kBeta);
    for (const auto& offer : catalogue->offers()) {
      out.push_back(absl::StrCat(offer.type(), offer.source()));
    }
    return out;
  }
  // What beta's link would carry to alpha, and what alpha makes of it.
  void BetaTells() {
    ours_.OnReceived(kBeta, *theirs_.For(kAlpha));
    AlphaLooks();
  }
  void AlphaTells() {
    theirs_.OnReceived(kAlpha, *ours_.For(kBeta));
    theirs_.Upkeep();
    beta_.Settle();
  }
  void AlphaLooks() {
    ours_.Upkeep();
    alpha_.Settle();
  }
  AccessRequest Asks(const std::string& id) {
    AccessRequest request;
    request.set_id(id);
    request.set_peer(kAlpha);
    request.set_type("build");
    request.set_reason("why not");
    request.set_state(admin::v1::ACCESS_STATE_PENDING);
    *request.mutable_create_time() = ToTimestamp(clock_.Now());
    return request;
  }
  static std::string Id(int number) {
    const std::string digits = absl::StrCat(number);
    return absl::StrCat(std::string(16 - digits.size(), '0'), digits);
  }
  // All of `numbers`, as a peer that is not honest may send it.
  Catalogue Asking(int first, int last) {
    Catalogue told;
    for (int i = first; i <= last; ++i) {
      auto& request = *told.add_requests();
      request.set_id(Id(i));
      request.set_type("build");
      request.set_reason("why not");
    }
    return told;
  }

  test::FakeClock clock_;
  Side alpha_{kAlpha, clock_}, beta_{kBeta, clock_};
  CatalogueExchange ours_{{.store = alpha_.node.store(), .given = alpha_.given, .clock = clock_}};
  CatalogueExchange theirs_{{.store = beta_.node.store(), .given = beta_.given, .clock = clock_}};
};

constexpr char kNames[] = "rules {name: 'n' when: \"type = 'named'\" action: ACTION_ALLOW}";

TEST_F(CatalogueExchangeTest, APeerIsOfferedWhatItWasGivenAndWhatARuleNames) {
  EXPECT_THAT(Offered(), IsEmpty());
  alpha_.Policy(kBeta, kNames);
  alpha_.given.Given(kBeta, {"given", "/s", ""});
  EXPECT_THAT(Offered(), ElementsAre("given/s", "named"));
}

// Whatever else there is here, the bytes are the same.
TEST_F(CatalogueExchangeTest, WhatIsNotForThePeerLeavesNoTrace) {
  alpha_.Policy(kBeta, kNames);
  const std::string before = ours_.For(kBeta)->SerializeAsString();
  alpha_.given.Given("gamma.example", {"secret", "/s", ""});
  alpha_.Policy("gamma.example",
                "rules {name: 's' when: \"type = 'secret'\" action: ACTION_ALLOW}");
  alpha_.Policy(
      kBeta, absl::StrCat("rules {name: 'd' when: \"type = 'secret'\" action: ACTION_DENY}", kNames,
                          "rules {name: 'l' when: \"type LIKE 's%'\" action: ACTION_ALLOW}"));
  EXPECT_EQ(ours_.For(kBeta)->SerializeAsString(), before);
}

TEST_F(CatalogueExchangeTest, TheSameIsTheSameObject) {
  alpha_.Policy(kBeta, kNames);
  const auto first = ours_.For(kBeta);
  EXPECT_EQ(ours_.For(kBeta), first);
  alpha_.Policy(kBeta,
                absl::StrCat(kNames, "rules {name: 'x' when: \"TRUE\" action: ACTION_DENY}"));
  EXPECT_EQ(ours_.For(kBeta), first);
}

TEST_F(CatalogueExchangeTest, NewsAreToldAMinuteApartOnceThereWereMany) {
  const int at_once = static_cast<int>(kNewsAtOnce);
  for (int i = 0; i < at_once; ++i) {
    alpha_.given.Given(kBeta, {absl::StrCat("t", i), "", ""});
    EXPECT_THAT(Offered(), SizeIs(static_cast<size_t>(i + 1)));
  }
  alpha_.given.Given(kBeta, {"waits", "", ""});
  EXPECT_THAT(Offered(), SizeIs(static_cast<size_t>(at_once)));
  clock_.Advance(absl::Seconds(61));
  EXPECT_THAT(Offered(), SizeIs(static_cast<size_t>(at_once + 1)));
}

TEST_F(CatalogueExchangeTest, ARequestIsAnsweredOverTheLink) {
  beta_.Put(kOwnAccessRequestKind, Asks(Id(1)));
  BetaTells();
  auto held = alpha_.Requests(kAccessRequestKind, kBeta);
  ASSERT_THAT(held, SizeIs(1));
  EXPECT_EQ(held[0].peer(), kBeta);
  EXPECT_EQ(held[0].direction(), admin::v1::ACCESS_DIRECTION_INCOMING);
  EXPECT_EQ(held[0].state(), admin::v1::ACCESS_STATE_PENDING);
  AlphaTells();
  EXPECT_EQ(beta_.Requests(kOwnAccessRequestKind, kAlpha)[0].state(),
            admin::v1::ACCESS_STATE_PENDING);

  held[0].set_state(admin::v1::ACCESS_STATE_DENIED);
  held[0].set_answer("no");
  alpha_.Put(kAccessRequestKind, held[0]);
  AlphaTells();
  EXPECT_EQ(beta_.Requests(kOwnAccessRequestKind, kAlpha)[0].state(),
            admin::v1::ACCESS_STATE_DENIED);
  EXPECT_EQ(beta_.Requests(kOwnAccessRequestKind, kAlpha)[0].answer(), "no");
  // It may be approved later, and that is final.
  for (const auto state : {admin::v1::ACCESS_STATE_APPROVED, admin::v1::ACCESS_STATE_DENIED}) {
    held[0].set_state(state);
    alpha_.Put(kAccessRequestKind, held[0]);
    AlphaTells();
    EXPECT_EQ(beta_.Requests(kOwnAccessRequestKind, kAlpha)[0].state(),
              admin::v1::ACCESS_STATE_APPROVED);
  }
}

// Else what is approved would be another request than was read.
TEST_F(CatalogueExchangeTest, AnIdStandsForOneRequestForEver) {
  ours_.OnReceived(kBeta, Asking(1, 1));
  AlphaLooks();
  ours_.OnReceived(kBeta, Catalogue());
  AlphaLooks();
  Catalogue other = Asking(1, 1);
  other.mutable_requests(0)->set_type("secret");
  ours_.OnReceived(kBeta, other);
  AlphaLooks();
  EXPECT_THAT(alpha_.Requests(kAccessRequestKind, kBeta), IsEmpty());
}

TEST_F(CatalogueExchangeTest, WhatIsTakenBackIsForgotten) {
  ours_.OnReceived(kBeta, Asking(1, 2));
  AlphaLooks();
  EXPECT_THAT(alpha_.Requests(kAccessRequestKind, kBeta), SizeIs(2));
  ours_.OnReceived(kBeta, Asking(2, 2));
  AlphaLooks();
  const auto held = alpha_.Requests(kAccessRequestKind, kBeta);
  ASSERT_THAT(held, SizeIs(1));
  EXPECT_EQ(held[0].id(), Id(2));
}

TEST_F(CatalogueExchangeTest, APeerThatAsksAgainAndAgainIsTakenSlowly) {
  const int at_once = static_cast<int>(kRequestsAtOnce);
  ours_.OnReceived(kBeta, Asking(1, at_once));
  AlphaLooks();
  EXPECT_THAT(alpha_.Requests(kAccessRequestKind, kBeta), SizeIs(static_cast<size_t>(at_once)));
  ours_.OnReceived(kBeta, Asking(101, 100 + at_once));
  AlphaLooks();
  EXPECT_THAT(alpha_.Requests(kAccessRequestKind, kBeta), IsEmpty());
  clock_.Advance(absl::Minutes(2));
  AlphaLooks();
  EXPECT_THAT(alpha_.Requests(kAccessRequestKind, kBeta), SizeIs(2));
}

TEST_F(CatalogueExchangeTest, WhatIsNotValidIsLeftOut) {
  Catalogue told = Asking(1, 3);
  told.mutable_requests(0)->set_id("../../etc");
  told.mutable_requests(1)->set_reason("\x1b[2J");
  told.add_offers()->set_type("fine");
  told.add_offers()->set_type("\x1b[2J");
  told.add_answers()->set_id(Id(9));
  ours_.OnReceived(kBeta, told);
  AlphaLooks();
  ASSERT_THAT(alpha_.Requests(kAccessRequestKind, kBeta), SizeIs(1));
  EXPECT_EQ(ours_.ToldBy(kBeta)->catalogue->offers_size(), 1);
  EXPECT_THAT(alpha_.Requests(kOwnAccessRequestKind, kBeta), IsEmpty());
}

TEST_F(CatalogueExchangeTest, EndsWithTheAgreement) {
  beta_.Put(kOwnAccessRequestKind, Asks(Id(1)));
  BetaTells();
  EXPECT_TRUE(ours_.ToldBy(kBeta));
  alpha_.node.EndPeeringWith(beta_.node);
  AlphaLooks();
  EXPECT_FALSE(ours_.ToldBy(kBeta));
  EXPECT_THAT(alpha_.Requests(kAccessRequestKind, kBeta), IsEmpty());
}

TEST_F(CatalogueExchangeTest, OwnRequestsEndAfterAWhile) {
  beta_.Put(kOwnAccessRequestKind, Asks(Id(1)));
  clock_.Advance(kOpenKept - absl::Seconds(1));
  theirs_.Upkeep();
  beta_.Settle();
  EXPECT_THAT(beta_.Requests(kOwnAccessRequestKind, kAlpha), SizeIs(1));
  clock_.Advance(absl::Seconds(2));
  theirs_.Upkeep();
  beta_.Settle();
  EXPECT_THAT(beta_.Requests(kOwnAccessRequestKind, kAlpha), IsEmpty());
}

}  // namespace
}  // namespace cdgate::manager
