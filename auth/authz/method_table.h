// Which method is served where, and to whom: one row for each method of each service.
// What has no row does not exist.
//
//   const authz::MethodRow* row = authz::FindMethod("/cdgate.events.v1.EventsService/Publish");
//
// A test compares the table with the .proto files, in both directions.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cdgate::authz {

enum class Listener {
  kPeers,      // other gateways, mutual TLS
  kApi,        // services and people of our own domain, mutual TLS
  kEnrolment,  // first contact, certificates not verified yet
  kLocal,      // Unix socket, root and the service user
};
// "peers", "api", "enrolment", "local"
absl::string_view ListenerName(Listener listener);

// As cdgate.admin.v1.Role.
enum class Role { kPublisher, kSubscriber, kOperator, kPolicyAuthor, kPolicyApprover, kAuditor };
// "publisher", "policy author"
absl::string_view RoleName(Role role);
// In the order of the enumeration.
absl::Span<const Role> AllRoles();

// A small set of listeners or roles.
template <typename Enum>
class EnumSet {
 public:
  constexpr EnumSet() = default;
  constexpr EnumSet(std::initializer_list<Enum> members) {
    for (const Enum member : members) bits_ |= Bit(member);
  }
  constexpr bool Has(Enum member) const { return (bits_ & Bit(member)) != 0; }
  constexpr bool Meets(EnumSet other) const { return (bits_ & other.bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr void Add(Enum member) { bits_ |= Bit(member); }
  constexpr void Add(EnumSet other) { bits_ |= other.bits_; }

 private:
  static constexpr unsigned Bit(Enum member) { return 1U << static_cast<unsigned>(member); }
  unsigned bits_ = 0;
};

// Whom a method admits.
enum class Admits {
  kRoles,         // principals with a grant of one of the row's roles
  kAnyGranted,    // principals with any grant
  kAnyPrincipal,  // whoever was authenticated
  kPeerGateway,   // gateways; the peers listener has verified that they are a peer's
  kEnroller,      // gateways whose certificate nobody verified yet: enrolment only
};

// What a grant that is for some peers only reaches by a method.
enum class Reach {
  kAnywhere,  // peers do not matter
  kRequest,   // the peers that the request names; where it names none, the gateway as a whole,
              // which such a grant does not reach
  kHandler,   // what concerns these peers: the handler looks, in what it finds or lists
};

struct MethodRow {
  absl::string_view method;  // "/package.Service/Method"
  EnumSet<Listener> listeners;
  Admits admits;
  EnumSet<Role> roles;  // kRoles: any one of them; otherwise empty
  Reach reach = Reach::kAnywhere;
};

// Sorted by method.
const std::vector<MethodRow>& MethodTable();
// Null where there is no such method.
const MethodRow* FindMethod(absl::string_view method);

}  // namespace cdgate::authz
