#include "auth/authz/peer_scope.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::authz {
namespace {

constexpr size_t kPatternsShown = 5;

std::string Shown(const std::vector<Pattern>& patterns) {
  if (patterns.empty()) return "no peer";
  const auto end =
      patterns.begin() + static_cast<std::ptrdiff_t>(std::min(patterns.size(), kPatternsShown));
  const std::string names =
      absl::StrJoin(patterns.begin(), end, ", ",
                    [](std::string* out, const Pattern& pattern) { out->append(pattern.text()); });
  return patterns.size() > kPatternsShown ? absl::StrCat(names, ", …") : names;
}

}  // namespace

bool PeerScope::Covers(absl::string_view peer) const {
  return all_ || std::any_of(peers_.begin(), peers_.end(),
                             [peer](const Pattern& pattern) { return pattern.Matches(peer); });
}

absl::Status PeerScope::Check(absl::string_view principal, absl::string_view method,
                              absl::string_view peer) const {
  if (all_ || (!peer.empty() && Covers(peer))) return absl::OkStatus();
  const std::string where =
      peer.empty() ? "for the gateway as a whole" : absl::StrCat("for peer ", base::Shorten(peer));
  return base::MakeError(
      base::Reason::kScopeNotGranted,
      absl::StrCat(principal, " may not call ", absl::StripPrefix(method, "/"), " ", where,
                   ": its grants of a role that would do are for ", Shown(peers_),
                   "; have an operator widen their peers, or somebody else do it"),
      {{"principal", std::string(principal)}, {"peer", base::Shorten(peer)}});
}

}  // namespace cdgate::authz
