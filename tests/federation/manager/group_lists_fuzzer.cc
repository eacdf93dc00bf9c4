// Member lists as they come from a peer: the list by itself, the same well signed by its
// owner, which no random text would be, and the signed list as it comes. What is taken is
// well-formed and reads as the same again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/time/time.h"
#include "auth/crypto/certificate_authority.h"
#include "auth/trust/trust_registry.h"
#include "federation/manager/group_lists.h"
#include "gateway/base/errors.h"

namespace {

using namespace cdgate::manager;  // the subject
namespace crypto = cdgate::crypto;
using cdgate::federation::v1::GroupList;
using cdgate::federation::v1::SignedGroup;

constexpr char kOwner[] = "alpha.example";
constexpr char kMember[] = "beta.example";

struct Owner {
  Owner() {
    const auto root = crypto::CertificateAuthority::InitRoot(kOwner, {}, now).value();
    const auto ca = crypto::CertificateAuthority::Load(root.certificate_pem, root.key_pem).value();
    crypto::LeafRequest request;
    request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
    const auto leaf = ca.Issue(request, now).value();
    material.chain_pem = leaf.certificate_pem;
    material.key_pem = leaf.key_pem;
    if (!trust.Replace(kOwner, root.certificate_pem, {}).ok()) std::abort();
  }
  const absl::Time now = absl::FromUnixSeconds(1'767'225'600);  // as the corpus has it
  cdgate::credentials::Material material;
  cdgate::trust::TrustRegistry trust;
};

Owner& TheOwner() {
  static auto* const owner = new Owner;
  return *owner;
}

void CheckReason(const absl::Status& status) {
  if (cdgate::base::ReasonOf(status) != cdgate::base::Reason::kGroupInvalid) std::abort();
}

void CheckTaken(const GroupList& list) {
  if (OwnerOf(list.group()) != kOwner || list.version() == 0 ||
      list.members_size() > kMaxGroupMembers ||
      !std::is_sorted(list.members().begin(), list.members().end()) ||
      !std::binary_search(list.members().begin(), list.members().end(), kMember) ||
      ExpiryOf(list) <= TheOwner().now || !CheckFollows(list, list).ok()) {
    std::abort();
  }
}

void TryVerify(const SignedGroup& received) {
  const auto list =
      VerifyGroup(received, {kOwner, kMember, *TheOwner().trust.Current(), TheOwner().now});
  if (!list.ok()) return CheckReason(list.status());
  CheckTaken(*list);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  SignedGroup received;
  if (received.ParseFromString(text)) TryVerify(received);
  const auto list = ReadGroupList(text);
  if (!list.ok()) {
    CheckReason(list.status());
    return 0;
  }
  if (!ReadGroupList(list->SerializeAsString()).ok()) std::abort();
  TryVerify(SignGroup(*list, TheOwner().material).value());
  return 0;
}
