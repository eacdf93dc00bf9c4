#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/base/errors.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"

namespace cdgate::cli {
namespace {

using admin::v1::AttestorStatus;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class AttestorVerbsTest : public testing::Test {
 protected:
  static AttestorStatus Attestor(const std::string& domain, char digit) {
    AttestorStatus out;
    out.set_key_id(std::string(64, digit));
    out.set_domain(domain);
    out.set_spiffe_id("spiffe://" + domain + "/attestor/gw1");
    out.set_serial("5f03");
    out.mutable_start_time()->set_seconds(1767225600);  // 2026-01-01
    out.mutable_expire_time()->set_seconds(1767225600 + 90 * 86400);
    out.mutable_first_seen_time()->set_seconds(1767225600 + 86400);
    out.set_state(admin::v1::ATTESTOR_STATE_VALID);
    return out;
  }
  CliRun Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--gateway", gateway_.address()});
    return RunCli(arguments);
  }

  FakeGateway gateway_;
};

TEST_F(AttestorVerbsTest, ListsOursAndThoseOfOthers) {
  admin::v1::ListAttestorsResponse all;
  *all.add_attestors() = Attestor("alpha.example", 'a');
  all.mutable_attestors(0)->set_own(true);
  *all.add_attestors() = Attestor("beta.example", 'b');
  all.mutable_attestors(1)->set_state(admin::v1::ATTESTOR_STATE_REFUSED);
  all.mutable_attestors(1)->set_reason("CERTIFICATE_REVOKED");
  gateway_.Answer("ListAttestors", all);
  const CliRun run = Run({"attestor", "list"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("alpha.example (ours)"), HasSubstr("attestor/gw1"),
                             HasSubstr("aaaaaaaaaaaa "), Not(HasSubstr("aaaaaaaaaaaaa")),
                             HasSubstr("2026-01-01"), HasSubstr("2026-04-01"),
                             HasSubstr("2026-01-02"), HasSubstr("valid"), HasSubstr(" revoked\n")));
  EXPECT_THAT(Run({"attestor", "list", "-o", "json"}).out,
              AllOf(HasSubstr(std::string(64, 'b')), HasSubstr("CERTIFICATE_REVOKED")));
}

TEST_F(AttestorVerbsTest, SaysWhereThereAreNone) {
  gateway_.Answer("ListAttestors", admin::v1::ListAttestorsResponse());
  EXPECT_THAT(Run({"attestor", "list"}).err, HasSubstr("no attestors"));
}

TEST_F(AttestorVerbsTest, ShowsOneWithItsCertificates) {
  admin::v1::GetAttestorResponse answer;
  AttestorStatus& shown = *answer.mutable_attestor();
  shown = Attestor("beta.example", 'b');
  shown.set_received_from("gamma.example");
  shown.set_state(admin::v1::ATTESTOR_STATE_REFUSED);
  shown.set_reason("CERTIFICATE_DENIED");
  shown.set_message("it is denied here");
  shown.set_chain_pem("-----BEGIN CERTIFICATE-----\n");
  gateway_.Answer("GetAttestor", answer);
  const CliRun run = Run({"attestor", "show", "bbbbbbbb"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("key id      " + std::string(64, 'b')),
                             HasSubstr("spiffe://beta.example/attestor/gw1"),
                             HasSubstr("from gamma.example"), HasSubstr("it is denied here"),
                             HasSubstr("BEGIN CERTIFICATE")));
  admin::v1::GetAttestorRequest request;
  ASSERT_TRUE(gateway_.LastRequest("GetAttestor", &request));
  EXPECT_EQ(request.key_id(), "bbbbbbbb");
  shown.clear_received_from();
  gateway_.Answer("GetAttestor", answer);
  EXPECT_THAT(Run({"attestor", "show", "bbbbbbbb"}).out, HasSubstr("from ourselves"));
}

TEST_F(AttestorVerbsTest, AnUnknownOneIsAnError) {
  gateway_.Fail("GetAttestor", base::MakeError(base::Reason::kNotFound, "no attestor's key id"));
  const CliRun run = Run({"attestor", "show", "00000000"});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_THAT(run.err, HasSubstr("no attestor's key id"));
}

}  // namespace
}  // namespace cdgate::cli
