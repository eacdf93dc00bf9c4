#include "gateway/api/describe_api.h"

#include <google/protobuf/descriptor.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "auth/authz/pattern.h"
#include "auth/crypto/digest.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cdevents/catalogue.h"
#include "gateway/cdevents/json_schema.h"

namespace cdgate::api {
namespace {

using cdevents::Catalogue;
using cdevents::Family;
using cdevents::Form;
using cdevents::Type;

constexpr char kDescribe[] = "/cdgate.events.v1.EventsService/Describe";
constexpr size_t kMaxPatternBytes = 1024;
constexpr absl::string_view kAnyCustom = "dev.cdeventsx.%";

void AddRules(const Form& form, bool with_schema, events::v1::EventType* out) {
  events::v1::TypeRules* const rules = out->add_rules();
  std::string schema = cdevents::JsonSchemaOf(form);
  rules->set_release(std::string(ReleaseOf(form.family)));
  rules->set_schema_digest(crypto::Sha256(schema));
  if (with_schema) rules->set_json_schema(std::move(schema));
}

void AddType(const Type& type, bool with_schemas, events::v1::DescribeResponse* response) {
  events::v1::EventType* const out = response->add_types();
  out->set_type(type.name.empty() ? std::string(kAnyCustom) : type.name);
  out->set_subject(std::string(type.subject));
  out->set_predicate(std::string(type.predicate));
  out->set_description(std::string(type.description));
  for (const absl::string_view release : type.releases) out->add_releases(std::string(release));
  const Form& usual = type.FormOf("", "");
  out->set_message(usual.message->full_name());
  AddRules(usual, with_schemas, out);
  for (const Form* const form : type.forms) {
    if (form != nullptr && form != &usual) AddRules(*form, with_schemas, out);
  }
}

}  // namespace

absl::StatusOr<events::v1::DescribeResponse> DescribeTypes(
    const events::v1::DescribeRequest& request) {
  if (request.type().size() > kMaxPatternBytes) {
    return base::MakeError(
        base::Reason::kInvalidArgument,
        absl::StrCat("type has ", request.type().size(), " bytes, the limit is ", kMaxPatternBytes),
        {{"field", "type"}});
  }
  const authz::Pattern pattern(request.type());
  const auto wanted = [&](absl::string_view name) {
    return request.type().empty() || pattern.Matches(name);
  };
  events::v1::DescribeResponse response;
  const Catalogue& catalogue = Catalogue::Get();
  for (const Type* const type : catalogue.types()) {
    if (wanted(type->name)) AddType(*type, request.with_schemas(), &response);
  }
  const bool custom = wanted(kAnyCustom) || !cdevents::CustomSubjectOf(request.type()).empty();
  if (custom) AddType(catalogue.custom(), request.with_schemas(), &response);
  for (const char* const release : {"0.3.0", "0.4.0", "0.4.1", "0.5.0", "0.5.1", "0.6.0-draft"}) {
    response.add_releases(release);
  }
  return response;
}

absl::StatusOr<events::v1::DescribeResponse> DescribeApi::Describe(
    const events::v1::DescribeRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(events::v1::DescribeResponse response, DescribeTypes(request));
  for (const auto& resource : store_.Resources()->List(state::kSchemaKind)) {
    CDGATE_ASSIGN_OR_RETURN(const auto schema, resource->As<admin::v1::Schema>());
    events::v1::RegisteredSchema* const out = response.add_schemas();
    out->set_uri(resource->name);
    out->set_digest(crypto::Sha256(schema.document()));
  }
  return response;
}

absl::Status DescribeApi::Register(rpc::Router& router) {
  using namespace events::v1;  // request and response names, here only
  return router.Register(OnPool<DescribeRequest, DescribeResponse>(
      kDescribe, pool_,
      [this](const rpc::Call&, const auto& request) { return Describe(request); }));
}

}  // namespace cdgate::api
