// What tests of the TrustService have in common: a registry, and calls of its methods.
#pragma once

#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/trust/trust_registry.h"
#include "gateway/api/trust_api.h"
#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {

class TrustTest : public AdminTest {
 protected:
  using AdminTest::AdminTest;
  void SetUp() override { Grant(Ann(), admin::v1::ROLE_OPERATOR); }

  TrustApiDeps Deps() {
    return {.domain = "alpha.example",
            .store = alpha_.store(),
            .trust = trust_,
            .origins = origins_,
            .gate = gate_,
            .clock = clock_,
            .pool = pool_,
            .applied = [this] { ++applied_; }};
  }
  template <typename Response, typename Request>
  absl::StatusOr<Response> Trust(absl::string_view method, const Request& request) {
    const auto bytes =
        CallBytes(who_, absl::StrCat("/cdgate.admin.v1.TrustService/", method), request,
                  who_.domain.empty() ? authz::Listener::kLocal : authz::Listener::kApi);
    if (!bytes.ok()) return bytes.status();
    Response response;
    CDGATE_EXPECT_OK(rpc::Parse(*bytes, &response));
    return response;
  }

  authz::Principal who_ = Ann();  // who calls
  trust::TrustRegistry trust_;
  trust::TrustRegistry origins_;
  int applied_ = 0;
};

}  // namespace cdgate::api
