// The JSON Schemas that events can name, over gRPC: AddSchema, ListSchemas, GetSchema,
// DeleteSchema.
//
//   SchemaApi schemas(store, registry, pool);
//   CDGATE_RETURN_IF_ERROR(schemas.Register(router));
//
// A schema is compiled before it is stored, with all that refer to it: what is answered with
// OK is checked from the next events on, and no change leaves another schema without what it
// refers to. What is refused leaves everything as it was: SCHEMA_UNSUPPORTED naming the
// place, TOO_LARGE, INVALID_ARGUMENT, SCHEMA_IN_USE, ETAG_MISMATCH, NOT_FOUND, errors of
// Store::Propose. validate_only checks and changes nothing.
#pragma once

#include <atomic>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/schema/schema_set.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server, and what it is given outlives both.
class SchemaApi {
 public:
  // `registry` has what was compiled before, so that it need not be compiled again. `applied`
  // is called once a change is on disk, before it is answered.
  SchemaApi(state::Store& store, const schema::SchemaRegistry& registry, base::Executor& pool,
            std::function<void()> applied = nullptr)
      : store_(store), registry_(registry), pool_(pool), applied_(std::move(applied)) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  void Add(const rpc::Call& call, const admin::v1::AddSchemaRequest& request,
           const rpc::Reply<admin::v1::Schema>& reply);
  absl::StatusOr<admin::v1::ListSchemasResponse> List(
      const admin::v1::ListSchemasRequest& request) const;
  absl::StatusOr<admin::v1::Schema> Get(const admin::v1::GetSchemaRequest& request) const;
  void Delete(const rpc::Call& call, const admin::v1::DeleteSchemaRequest& request,
              const rpc::Reply<admin::v1::DeleteSchemaResponse>& reply);

  absl::StatusOr<std::vector<schema::SchemaDocument>> Documents() const;
  // Whether the set can be as it would be with this schema in it.
  absl::Status Check(const admin::v1::Schema& schema) const;
  absl::StatusOr<admin::v1::Schema> CheckOnly(const admin::v1::Schema& schema) const;
  absl::Status CheckUnused(const std::string& uri) const;

  // One change at a time, from its check to its answer: what is checked is what it is made to.
  // False where another is under way.
  bool BeginChange() { return !changing_.exchange(true); }
  template <typename Response>
  void EndChange(const rpc::Reply<Response>& reply, absl::StatusOr<Response> answer);

  state::Store& store_;
  const schema::SchemaRegistry& registry_;
  base::Executor& pool_;
  const std::function<void()> applied_;
  std::atomic<bool> changing_ = false;
};

}  // namespace cdgate::api
