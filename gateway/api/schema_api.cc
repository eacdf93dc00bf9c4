#include "gateway/api/schema_api.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/crypto/digest.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

constexpr char kAdd[] = "/cdgate.admin.v1.AdminService/AddSchema";
constexpr char kList[] = "/cdgate.admin.v1.AdminService/ListSchemas";
constexpr char kGet[] = "/cdgate.admin.v1.AdminService/GetSchema";
constexpr char kDelete[] = "/cdgate.admin.v1.AdminService/DeleteSchema";

constexpr size_t kMaxDescriptionBytes = 1024;

absl::Status NoSuch(absl::string_view uri) {
  return base::MakeError(base::Reason::kNotFound,
                         absl::StrCat("no schema is registered as ", base::Shorten(uri, 200),
                                      "; list them to see which are"),
                         {{"uri", base::Shorten(uri, 200)}});
}

absl::StatusOr<admin::v1::Schema> ToSchema(const state::StoredResource& resource) {
  CDGATE_ASSIGN_OR_RETURN(admin::v1::Schema schema, resource.As<admin::v1::Schema>());
  schema.set_version(resource.version);
  schema.set_author(resource.author);
  *schema.mutable_create_time() = ToProto(resource.commit_time);
  return schema;
}

absl::Status AnotherChange() {
  return base::MakeError(base::Reason::kEtagMismatch,
                         "another change of the schemas is under way; try again");
}

state::ResourceEdit EditOf(const rpc::Call& call, const admin::v1::AddSchemaRequest& request) {
  admin::v1::Schema stored;
  stored.set_uri(request.schema().uri());
  stored.set_document(request.schema().document());
  stored.set_digest(crypto::Sha256(request.schema().document()));
  stored.set_description(request.schema().description());
  state::ResourceEdit edit;
  edit.kind = state::kSchemaKind;
  edit.name = stored.uri();
  edit.value = stored.SerializeAsString();
  if (request.base_version() != 0) edit.expected_version = request.base_version();
  edit.author = call.principal.id;
  return edit;
}

}  // namespace

absl::Status SchemaApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<AddSchemaRequest, Schema>(
      kAdd, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Add(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListSchemasRequest, ListSchemasResponse>(
      kList, pool_, [this](const rpc::Call&, const auto& request) { return List(request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetSchemaRequest, Schema>(
      kGet, pool_, [this](const rpc::Call&, const auto& request) { return Get(request); })));
  return router.Register(OnPoolAsync<DeleteSchemaRequest, DeleteSchemaResponse>(
      kDelete, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Delete(call, request, reply);
      }));
}

absl::StatusOr<std::vector<schema::SchemaDocument>> SchemaApi::Documents() const {
  std::vector<schema::SchemaDocument> documents;
  for (const auto& resource : store_.Resources()->List(state::kSchemaKind)) {
    CDGATE_ASSIGN_OR_RETURN(admin::v1::Schema schema, resource->As<admin::v1::Schema>());
    documents.push_back({resource->name, std::move(*schema.mutable_document())});
  }
  return documents;
}

absl::Status SchemaApi::Check(const admin::v1::Schema& schema) const {
  if (schema.description().size() > kMaxDescriptionBytes) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           "the description has more than 1,024 bytes; shorten it",
                           {{"field", "description"}});
  }
  CDGATE_ASSIGN_OR_RETURN(std::vector<schema::SchemaDocument> documents, Documents());
  const auto before = schema::SchemaSet::Compile(documents, registry_.Current().get());
  const auto same = std::find_if(documents.begin(), documents.end(),
                                 [&](const auto& one) { return one.uri == schema.uri(); });
  if (same != documents.end()) documents.erase(same);
  documents.push_back({schema.uri(), schema.document()});
  const auto after = schema::SchemaSet::Compile(documents, before.set.get());
  for (const auto& [uri, status] : after.refused) {
    if (uri == schema.uri()) return status;
    // One that was broken before is no reason against this one.
    if (!before.set->Has(uri)) continue;
    return base::Annotate(status, absl::StrCat("with it, the schema ", uri, " would be broken"));
  }
  return absl::OkStatus();
}

template <typename Response>
void SchemaApi::EndChange(const rpc::Reply<Response>& reply, absl::StatusOr<Response> answer) {
  if (answer.ok() && applied_) applied_();
  changing_ = false;
  reply(std::move(answer));
}

void SchemaApi::Add(const rpc::Call& call, const admin::v1::AddSchemaRequest& request,
                    const rpc::Reply<admin::v1::Schema>& reply) {
  if (request.validate_only()) return reply(CheckOnly(request.schema()));
  if (!BeginChange()) return reply(AnotherChange());
  if (absl::Status status = Check(request.schema()); !status.ok())
    return EndChange<admin::v1::Schema>(reply, status);
  state::Proposal proposal;
  proposal.resources.push_back(EditOf(call, request));
  const std::string uri = request.schema().uri();
  const absl::Status queued =
      store_.Propose(std::move(proposal), [this, reply, uri](state::Outcome outcome) {
        if (!outcome.status.ok()) return EndChange<admin::v1::Schema>(reply, outcome.status);
        const state::ResourcePtr added = store_.Resources()->Find(state::kSchemaKind, uri);
        if (added == nullptr) return EndChange<admin::v1::Schema>(reply, NoSuch(uri));
        auto schema = ToSchema(*added);
        if (schema.ok()) schema->clear_document();
        EndChange<admin::v1::Schema>(reply, std::move(schema));
      });
  if (!queued.ok()) EndChange<admin::v1::Schema>(reply, queued);
}

absl::StatusOr<admin::v1::Schema> SchemaApi::CheckOnly(const admin::v1::Schema& schema) const {
  CDGATE_RETURN_IF_ERROR(Check(schema));
  admin::v1::Schema checked;
  checked.set_uri(schema.uri());
  checked.set_digest(crypto::Sha256(schema.document()));
  checked.set_description(schema.description());
  return checked;
}

absl::StatusOr<admin::v1::ListSchemasResponse> SchemaApi::List(
    const admin::v1::ListSchemasRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  admin::v1::ListSchemasResponse response;
  for (const auto& resource : store_.Resources()->List(state::kSchemaKind, after, size)) {
    CDGATE_ASSIGN_OR_RETURN(admin::v1::Schema schema, ToSchema(*resource));
    schema.clear_document();
    *response.add_schemas() = std::move(schema);
  }
  if (static_cast<size_t>(response.schemas_size()) == size) {
    response.set_next_page_token(
        MakePageToken(kList, response.schemas(response.schemas_size() - 1).uri()));
  }
  return response;
}

absl::StatusOr<admin::v1::Schema> SchemaApi::Get(const admin::v1::GetSchemaRequest& request) const {
  const state::ResourcePtr found = store_.Resources()->Find(state::kSchemaKind, request.uri());
  if (found == nullptr) return NoSuch(request.uri());
  return ToSchema(*found);
}

absl::Status SchemaApi::CheckUnused(const std::string& uri) const {
  CDGATE_ASSIGN_OR_RETURN(const std::vector<schema::SchemaDocument> documents, Documents());
  const auto compiled = schema::SchemaSet::Compile(documents, registry_.Current().get());
  const std::vector<std::string> users = compiled.set->UsersOf(uri);
  if (users.empty()) return absl::OkStatus();
  return base::MakeError(base::Reason::kSchemaInUse,
                         absl::StrCat("the schema ", uri, " is referred to by ",
                                      base::Shorten(absl::StrJoin(users, ", "), 400),
                                      "; remove or change those first"),
                         {{"uri", uri}});
}

void SchemaApi::Delete(const rpc::Call& call, const admin::v1::DeleteSchemaRequest& request,
                       const rpc::Reply<admin::v1::DeleteSchemaResponse>& reply) {
  if (store_.Resources()->Find(state::kSchemaKind, request.uri()) == nullptr) {
    return reply(NoSuch(request.uri()));
  }
  if (!BeginChange()) return reply(AnotherChange());
  using Response = admin::v1::DeleteSchemaResponse;
  if (absl::Status status = CheckUnused(request.uri()); !status.ok()) {
    return EndChange<Response>(reply, status);
  }
  state::ResourceEdit edit;
  edit.kind = state::kSchemaKind;
  edit.name = request.uri();
  edit.deleted = true;
  edit.author = call.principal.id;
  state::Proposal proposal;
  proposal.resources.push_back(std::move(edit));
  const absl::Status queued =
      store_.Propose(std::move(proposal), [this, reply](state::Outcome outcome) {
        if (!outcome.status.ok()) return EndChange<Response>(reply, outcome.status);
        EndChange<Response>(reply, Response());
      });
  if (!queued.ok()) EndChange<Response>(reply, queued);
}

}  // namespace cdgate::api
