// TLS as the gateway has it, for every test of this binary: set before gRPC starts.
#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include "auth/crypto/tls.h"
#include "tests/support/status_matchers.h"

namespace cdgate::credentials {
namespace {

class TlsEnvironment final : public testing::Environment {
 public:
  void SetUp() override {
    CDGATE_ASSERT_OK(crypto::ConfigureTlsProcessWide());
    gpr_set_log_function([](gpr_log_func_args*) {});  // refusals are what is tested here
  }
};

const testing::Environment* const kEnvironment =
    testing::AddGlobalTestEnvironment(new TlsEnvironment);

}  // namespace
}  // namespace cdgate::credentials
