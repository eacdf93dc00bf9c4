#include "gateway/api/attestor_api.h"

#include <string>
#include <vector>

#include "auth/crypto/certificate.h"
#include "gateway/base/encoding.h"
#include "tests/gateway/api/trust_test.h"

namespace cdgate::api {
namespace {

using admin::v1::AttestorStatus;
using admin::v1::GetAttestorRequest;
using admin::v1::ListAttestorsRequest;
using admin::v1::ListAttestorsResponse;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

class AttestorApiTest : public TrustTest {
 protected:
  AttestorApiTest() {
    CDGATE_EXPECT_OK(trust_.Replace("alpha.example", alpha_.ca().bundle_pem(), {}));
    CDGATE_EXPECT_OK(trust_.Replace("beta.example", beta_.ca().bundle_pem(), {}));
    registry_ = session::AttestorRegistry::Open({.domain = "alpha.example",
                                                 .store = alpha_.store(),
                                                 .trust = trust_,
                                                 .origins = origins_,
                                                 .clock = clock_})
                    .value();
    api_ = std::make_unique<AttestorApi>(*registry_, clock_, pool_);
    CDGATE_EXPECT_OK(api_->Register(router_));
  }
  void TearDown() override { alpha_.store().Shutdown(); }

  // Takes it from beta; its key id in hexadecimal.
  std::string Take(const crypto::IssuedCertificate& issued) {
    const auto leaf = crypto::Certificate::FromPem(issued.certificate_pem).value();
    federation::v1::Attestors frame;
    frame.add_attestors()->add_certificates(leaf.ToDer());
    CDGATE_EXPECT_OK(registry_->Take("beta.example", frame));
    return base::HexEncode(leaf.FingerprintSha256());
  }
  absl::StatusOr<ListAttestorsResponse> List(int page_size = 0, const std::string& token = "") {
    ListAttestorsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    return Trust<ListAttestorsResponse>("ListAttestors", request);
  }
  absl::StatusOr<AttestorStatus> Get(const std::string& key_id) {
    GetAttestorRequest request;
    request.set_key_id(key_id);
    const auto answer = Trust<admin::v1::GetAttestorResponse>("GetAttestor", request);
    if (!answer.ok()) return answer.status();
    return answer->attestor();
  }

  std::unique_ptr<session::AttestorRegistry> registry_;
  std::unique_ptr<AttestorApi> api_;
};

TEST_F(AttestorApiTest, ShowsWhoseWithTheirStates) {
  const absl::Time now = clock_.Now();
  const std::string ours = Take(alpha_.ca().Attestor("a1"));
  const auto denied = beta_.ca().Attestor("b1");
  const std::string refused = Take(denied);
  const std::string ended = Take(beta_.ca().Attestor("b2", now - absl::Hours(48), absl::Hours(1)));
  const std::string early = Take(beta_.ca().Attestor("b3", now + absl::Hours(48), absl::Hours(1)));
  trust_.SetDenied(trust::DenyList::Compile({{.name = "stolen",
                                              .kind = trust::DenialKind::kPrincipal,
                                              .subject = "spiffe://beta.example/attestor/b1"}})
                       .value());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto all, List());
  ASSERT_EQ(all.attestors_size(), 4);
  EXPECT_EQ(all.attestors(0).key_id(), ours);
  EXPECT_TRUE(all.attestors(0).own());
  EXPECT_EQ(all.attestors(0).state(), admin::v1::ATTESTOR_STATE_VALID);
  EXPECT_EQ(all.attestors(0).chain_pem(), "");
  EXPECT_EQ(Get(ended)->state(), admin::v1::ATTESTOR_STATE_ENDED);
  EXPECT_EQ(Get(early)->state(), admin::v1::ATTESTOR_STATE_EARLY);
  CDGATE_ASSERT_OK_AND_ASSIGN(const AttestorStatus shown, Get(refused));
  EXPECT_EQ(shown.state(), admin::v1::ATTESTOR_STATE_REFUSED);
  EXPECT_EQ(shown.reason(), "CERTIFICATE_DENIED");
  EXPECT_THAT(shown.message(), HasSubstr("stolen"));
  EXPECT_EQ(shown.chain_pem(), denied.certificate_pem);
  EXPECT_EQ(shown.received_from(), "beta.example");
  EXPECT_EQ(shown.spiffe_id(), "spiffe://beta.example/attestor/b1");
  EXPECT_EQ(shown.first_seen_time().seconds(), absl::ToUnixSeconds(now));
}

TEST_F(AttestorApiTest, IsPaged) {
  for (const char* name : {"b1", "b2", "b3"}) Take(beta_.ca().Attestor(name));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto first, List(2));
  EXPECT_EQ(first.attestors_size(), 2);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto rest, List(2, first.next_page_token()));
  EXPECT_EQ(rest.attestors_size(), 1);
  EXPECT_EQ(rest.next_page_token(), "");
  EXPECT_THAT(List(-1), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(List(2, "forged"), HasReason(Reason::kInvalidArgument));
}

TEST_F(AttestorApiTest, AKeyIdIsTakenAsPeopleWriteIt) {
  const auto issued = beta_.ca().Attestor("b1");
  const std::string key_id = Take(issued);
  const auto bytes = base::HexDecode(key_id).value();
  for (const std::string& text : {key_id, key_id.substr(0, 8), base::Fingerprint(bytes)}) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const AttestorStatus found, Get(text));
    EXPECT_EQ(found.key_id(), key_id) << text;
  }
  for (const std::string& text :
       {std::string(), key_id.substr(0, 7), key_id + "00", std::string("attestor/b1")}) {
    EXPECT_THAT(Get(text),
                HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("cdgate attestor list")))
        << text;
  }
  EXPECT_THAT(Get(std::string(64, '0')), HasReason(Reason::kNotFound));
}

TEST_F(AttestorApiTest, IsForOperatorsAndAuditors) {
  Grant(User("paula"), admin::v1::ROLE_POLICY_AUTHOR);
  Grant(User("audrey"), admin::v1::ROLE_AUDITOR);
  who_ = User("paula");
  EXPECT_THAT(List(), HasReason(Reason::kNotGranted));
  EXPECT_THAT(Get(std::string(64, '0')), HasReason(Reason::kNotGranted));
  who_ = User("audrey");
  CDGATE_EXPECT_OK(List());
}

}  // namespace
}  // namespace cdgate::api
