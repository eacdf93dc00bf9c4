// Whatever text: a registered error, or a configuration or resources that are rendered
// and read back unchanged.
#include <google/protobuf/util/message_differencer.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/errors.h"
#include "gateway/config/gateway_config.h"
#include "gateway/config/message_reader.h"
#include "gateway/config/message_writer.h"
#include "gateway/config/resource_file.h"

namespace {

using namespace cdgate;  // a fuzzer is a main program

void Check(bool condition) {
  if (!condition) abort();
}

void CheckReadsBack(const google::protobuf::Message& message) {
  const auto root = config::ParseYaml(config::ToYaml(message), "f");
  Check(root.ok());
  const std::unique_ptr<google::protobuf::Message> again(message.New());
  Check(config::MessageReader("f").Read(*root, again.get()).ok());
  Check(google::protobuf::util::MessageDifferencer::Equals(*again, message));
}

void CheckError(const absl::Status& status) {
  Check(status.ok() || base::ReasonOf(status) == base::Reason::kInvalidConfig);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = config::ParseGatewayConfig(text, "f");
  CheckError(parsed.status());
  if (parsed.ok()) CheckReadsBack(*parsed);
  const auto resources = config::ParseResources(text, "f");
  CheckError(resources.status());
  if (!resources.ok()) return 0;
  for (const config::Resource& resource : *resources) CheckReadsBack(*resource.message);
  return 0;
}
