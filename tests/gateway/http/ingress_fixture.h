// A listener over a log in memory, on a clock that stands still, for its tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/authz/token.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/http/ingress_listener.h"
#include "tests/gateway/admission/admission_fixture.h"
#include "tests/gateway/http/ingress_client.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::http {

class Recorder final : public credentials::VerificationObserver {
 public:
  void OnRefused(const credentials::Refusal& refusal) override {
    base::MutexLock lock(mu_);
    reasons_.push_back(refusal.reason);
    addresses_.push_back(refusal.address);
  }
  std::vector<std::string> addresses() const {
    base::MutexLock lock(mu_);
    return addresses_;
  }
  std::vector<base::Reason> reasons() const {
    base::MutexLock lock(mu_);
    return reasons_;
  }

 private:
  mutable base::Mutex mu_;
  std::vector<base::Reason> reasons_ CDGATE_GUARDED_BY(mu_);
  std::vector<std::string> addresses_ CDGATE_GUARDED_BY(mu_);
};

inline std::string Post(const std::string& fields, const std::string& body) {
  return absl::StrCat("POST /events HTTP/1.1\r\nHost: a\r\n", fields,
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}

// In clear text, unless a test starts it with TLS.
class IngressTest : public testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);  // OpenSSL's clients write with write()
    token_ = authz::MintToken(base::SystemRandom());
    SetToken("jenkins", f_.clock.Now() + absl::Hours(24 * 30));
  }

  void SetToken(const std::string& grant, absl::Time expires) {
    admin::v1::Token token;
    token.set_name("ci");
    token.set_grant(grant);
    token.set_secret_digest(token_.digest);
    token.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(expires));
    SetTokens(
        std::make_shared<const authz::Tokens>("alpha.example", absl::MakeConstSpan(&token, 1)));
  }

  void SetTokens(std::shared_ptr<const authz::Tokens> tokens) {
    base::MutexLock lock(mu_);
    tokens_ = std::move(tokens);
  }

  void Start(IngressOptions* changed = nullptr) {
    IngressOptions options = changed != nullptr ? std::move(*changed) : Options();
    auto started = IngressListener::Start(std::move(options));
    CDGATE_ASSERT_OK(started.status());
    listener_ = *std::move(started);
  }
  IngressOptions Options() {
    return {.address = "127.0.0.1:0",
            .handler = {.domain = "alpha.example",
                        .admission = *f_.admission,
                        .tokens =
                            [this] {
                              base::MutexLock lock(mu_);
                              return tokens_;
                            },
                        .trust = trust_.source(),
                        .deny = nullptr,
                        .epoch = [] { return base::Epoch("e"); },
                        .clock = f_.clock,
                        .metrics = f_.metrics},
            .observer = observer_};
  }
  void StartTls(IngressOptions* changed = nullptr) {
    CDGATE_ASSERT_OK(ca_.WriteIdentity(dir_.path(), ca_.Gateway("gw1")));
    credentials::IdentityOptions files;
    files.certificate_path = dir_.File("tls.crt");
    files.key_path = dir_.File("tls.key");
    files.bundle_path = dir_.File("bundle.pem");
    identity_ = credentials::IdentityStore::Create(files, trust_, f_.clock).value();
    IngressOptions options = changed != nullptr ? std::move(*changed) : Options();
    options.identity = identity_.get();
    options.times.idle = absl::Hours(1000);
    Start(&options);
  }

  std::string Bearer() const { return absl::StrCat("Authorization: Bearer ", token_.text, "\r\n"); }
  std::string Event(const std::string& id) const {
    return Post(absl::StrCat(Bearer(), "Content-Type: application/json\r\n"), test::SampleJson(id));
  }
  TestClient Connect() { return TestClient(listener_->bound_address()); }
  TestClient ConnectTls(const crypto::IssuedCertificate* identity = nullptr) {
    const ClientTls tls{identity};
    return TestClient(listener_->bound_address(), &tls);
  }

  test::AdmissionFixture f_;
  test::TempDir dir_;
  test::TestCa ca_{"alpha.example", f_.clock.Now()};
  trust::TrustRegistry trust_;
  base::Mutex mu_;
  std::shared_ptr<const authz::Tokens> tokens_ CDGATE_GUARDED_BY(mu_);
  authz::MintedToken token_;
  std::shared_ptr<Recorder> observer_ = std::make_shared<Recorder>();
  std::unique_ptr<credentials::IdentityStore> identity_;
  std::unique_ptr<IngressListener> listener_;
};

}  // namespace cdgate::http
