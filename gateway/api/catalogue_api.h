// What domains offer to each other, over gRPC, and requests for what they do not get.
//
//   CatalogueApi catalogues({.store = store, .exchange = exchange, .given = book, ...});
//   CDGATE_RETURN_IF_ERROR(catalogues.Register(router));
//
// What changes is on disk, under the caller's name, when it is answered; the peer learns of it
// over the link. NOT_FOUND for a domain that is no peer and for a request that is not there,
// INVALID_ARGUMENT naming the field, QUOTA for one request too many, NO_RULE where a request is
// approved that no rule allows, ETAG_MISMATCH where somebody else was faster.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/catalogue.pb.h"
#include "federation/manager/catalogue_exchange.h"
#include "federation/manager/given_book.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/random.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// All outlive the API.
struct CatalogueApiDeps {
  state::Store& store;
  const manager::CatalogueExchange& exchange;
  const manager::GivenBook& given;
  const base::Clock& clock;
  base::Random& random;
  base::Executor& pool;
};

// Thread-safe; outlives the router's server.
class CatalogueApi {
 public:
  explicit CatalogueApi(CatalogueApiDeps deps) : deps_(deps) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  using Reply = rpc::Reply<admin::v1::AccessRequest>;
  absl::StatusOr<admin::v1::ListOffersResponse> ListOffers(
      const admin::v1::ListOffersRequest& request) const;
  absl::StatusOr<admin::v1::GetPeerCatalogueResponse> GetPeerCatalogue(
      const admin::v1::GetPeerCatalogueRequest& request) const;
  absl::StatusOr<admin::v1::ListAccessRequestsResponse> ListRequests(
      const admin::v1::ListAccessRequestsRequest& request) const;
  void Ask(const rpc::Call& call, const admin::v1::RequestAccessRequest& request,
           const Reply& reply);
  void Approve(const rpc::Call& call, const admin::v1::ApproveAccessRequest& request,
               const Reply& reply);
  void Deny(const rpc::Call& call, const admin::v1::DenyAccessRequest& request, const Reply& reply);
  void Withdraw(const rpc::Call& call, const admin::v1::WithdrawAccessRequest& request,
                const Reply& reply);
  void Answer(const rpc::Call& call, const state::StoredResource& held,
              admin::v1::AccessRequest request, admin::v1::AccessState state,
              const std::string& words, const Reply& reply);
  void Commit(state::ResourceEdit edit, admin::v1::AccessRequest answer, const Reply& reply);

  const CatalogueApiDeps deps_;
};

}  // namespace cdgate::api
