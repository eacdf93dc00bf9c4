// Dead letters of peers over gRPC: ListPeerDeadLetters, RedrivePeerDeadLetters,
// DropPeerDeadLetters.
//
//   DeadLetterApi letters(deps);
//   CDGATE_RETURN_IF_ERROR(letters.Register(router));
//
// What could not be imported is tried again at once, by the import policy in force: it enters
// the log as if it came now, or stays a dead letter with the reason. What could not be sent is
// offered to the peer again, on its link, by the export policy in force; the dead letter goes
// when that is on disk, and comes again where it fails again. Nothing is lost in between: each
// step is one commit. NOT_FOUND for a key that is no dead letter, NO_AGREEMENT for a domain
// that is no peer.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/session/pseudonym_keeper.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server, and what it is given outlives both.
class DeadLetterApi {
 public:
  DeadLetterApi(std::string domain, state::Store& store, const session::PseudonymKeeper& keeper,
                base::Executor& pool)
      : domain_(std::move(domain)), store_(store), keeper_(keeper), pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  struct Redrive;

  absl::StatusOr<admin::v1::ListPeerDeadLettersResponse> List(
      const admin::v1::ListPeerDeadLettersRequest& request) const;
  void RedriveAll(const rpc::Call& call, const admin::v1::RedrivePeerDeadLettersRequest& request,
                  const rpc::Reply<admin::v1::RedrivePeerDeadLettersResponse>& reply);
  void Drop(const admin::v1::DropPeerDeadLettersRequest& request,
            const rpc::Reply<admin::v1::DropPeerDeadLettersResponse>& reply);

  absl::Status CheckPeer(absl::string_view peer) const;
  absl::StatusOr<storage::v1::DeadLetterRow> Find(absl::string_view peer,
                                                  const admin::v1::PeerDeadLetterKey& key) const;
  admin::v1::PeerDeadLetter Describe(const storage::v1::DeadLetterRow& row,
                                     admin::v1::Direction direction) const;
  absl::Status Plan(const storage::v1::DeadLetterRow& row, admin::v1::Direction direction,
                    const std::shared_ptr<Redrive>& redrive, size_t index) const;
  absl::Status PlanImport(const storage::v1::DeadLetterRow& row, Redrive& redrive,
                          size_t index) const;
  void PlanExport(const storage::v1::DeadLetterRow& row, Redrive& redrive, size_t index) const;
  void ProposeImport(const std::shared_ptr<Redrive>& redrive, size_t next);
  void ProposeExports(const std::shared_ptr<Redrive>& redrive);

  const std::string domain_;
  state::Store& store_;
  const session::PseudonymKeeper& keeper_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
