#include "federation/manager/access_requests.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "federation/link/config.h"
#include "federation/manager/timestamp.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using admin::v1::AccessRequest;
using state::ResourceEdit;
using state::ResourcePtr;
using state::ResourceSnapshot;

constexpr size_t kIdBytes = 16;

bool IsId(absl::string_view id) {
  return id.size() == kIdBytes && std::all_of(id.begin(), id.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return base::MakeError(base::Reason::kInvalidArgument, absl::StrCat(field, ": ", what));
}

absl::Status CheckText(absl::string_view field, absl::string_view text, bool required,
                       size_t most) {
  if (text.empty() && required) return Invalid(field, "is missing");
  if (text.size() > most) {
    return Invalid(field, absl::StrCat("has ", text.size(), " bytes, the most are ", most));
  }
  if (IsPlainText(text)) return absl::OkStatus();
  return Invalid(field, "has control characters; write plain text on one line");
}

std::vector<ResourcePtr> Held(const ResourceSnapshot& resources, absl::string_view kind,
                              absl::string_view peer) {
  const std::string prefix = AccessName(peer, "");
  // No name is between the prefix and what begins with it.
  auto held = resources.List(kind, prefix, 2 * link::kMaxAccessRequests);
  std::erase_if(held, [&](const ResourcePtr& r) { return !absl::StartsWith(r->name, prefix); });
  return held;
}

ResourceEdit Forget(const state::StoredResource& held, absl::string_view author) {
  return {.kind = held.kind,
          .name = held.name,
          .deleted = true,
          .expected_version = held.version,
          .author = std::string(author)};
}

AccessRequest Taken(const federation::v1::AccessRequest& asked, absl::string_view peer,
                    absl::Time now) {
  AccessRequest request;
  request.set_id(asked.id());
  request.set_peer(std::string(peer));
  request.set_direction(admin::v1::ACCESS_DIRECTION_INCOMING);
  request.set_type(asked.type());
  request.set_source(asked.source());
  request.set_reason(asked.reason());
  request.set_state(admin::v1::ACCESS_STATE_PENDING);
  // Its clock may be wrong: what matters is since when we know.
  *request.mutable_create_time() = ToTimestamp(now);
  return request;
}

// What the peer asks for, against what we hold of that.
void TakeRequests(const ResourceSnapshot& resources, absl::string_view peer,
                  const federation::v1::Catalogue& told, absl::Time now, size_t* may_add,
                  std::vector<ResourceEdit>* edits) {
  std::map<std::string, const federation::v1::AccessRequest*> asked;
  for (const auto& request : told.requests()) {
    if (CheckAccessRequest(request).ok()) asked.emplace(AccessName(peer, request.id()), &request);
  }
  for (const ResourcePtr& held : Held(resources, kAccessRequestKind, peer)) {
    if (asked.erase(held->name) == 0) edits->push_back(Forget(*held, peer));
  }
  for (const auto& [name, request] : asked) {
    // An id stands for one request for ever: what was read is what is answered.
    if (resources.Latest(kAccessRequestKind, name) != nullptr) continue;
    if (*may_add == 0) return;
    --*may_add;
    edits->push_back({.kind = kAccessRequestKind,
                      .name = name,
                      .value = Taken(*request, peer, now).SerializeAsString(),
                      .expected_version = 0,
                      .author = std::string(peer)});
  }
}

void TakeAnswers(const ResourceSnapshot& resources, absl::string_view peer,
                 const federation::v1::Catalogue& told, absl::Time now,
                 std::vector<ResourceEdit>* edits) {
  std::set<std::string> answered;
  for (const auto& answer : told.answers()) {
    const std::string name = AccessName(peer, answer.id());
    if (!CheckAnswer(answer.reason()).ok() || !answered.insert(name).second) continue;
    const ResourcePtr held = resources.Find(kOwnAccessRequestKind, name);
    if (held == nullptr) continue;
    auto request = held->As<AccessRequest>();
    const auto now_is =
        answer.approved() ? admin::v1::ACCESS_STATE_APPROVED : admin::v1::ACCESS_STATE_DENIED;
    if (!request.ok() || request->state() == now_is ||
        request->state() == admin::v1::ACCESS_STATE_APPROVED) {
      continue;
    }
    request->set_state(now_is);
    request->set_answer(answer.reason());
    *request->mutable_answer_time() = ToTimestamp(now);
    edits->push_back({.kind = kOwnAccessRequestKind,
                      .name = name,
                      .value = request->SerializeAsString(),
                      .expected_version = held->version,
                      .author = std::string(peer)});
  }
}

bool IsOld(const ResourcePtr& held, absl::Time now) {
  const auto request = held->As<AccessRequest>();
  if (!request.ok()) return true;
  return request->has_answer_time() ? now - TimeOf(request->answer_time()) > kAnsweredKept
                                    : now - TimeOf(request->create_time()) > kOpenKept;
}

}  // namespace

std::string AccessName(absl::string_view peer, absl::string_view id) {
  return absl::StrCat(peer, "/", id);
}

bool IsPlainText(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
    };
    const unsigned a = byte(i), b = byte(i + 1), c = byte(i + 2);
    if (a < 0x20 || a == 0x7f) return false;
    if (a == 0xc2 && b >= 0x80 && b <= 0x9f) return false;                 // C1 controls
    if (a == 0xd8 && b == 0x9c) return false;                              // Arabic letter mark
    if (a == 0xe2 && b == 0x80 && (c == 0x8e || c == 0x8f)) return false;  // marks of directions
    if (a == 0xe2 && b == 0x80 && c >= 0xa8 && c <= 0xae) return false;    // lines, directions
    if (a == 0xe2 && b == 0x81 && c >= 0xa6 && c <= 0xa9) return false;    // isolates
  }
  return true;
}

absl::Status CheckAccessRequest(const federation::v1::AccessRequest& request) {
  if (!IsId(request.id())) {
    return Invalid("id", absl::StrCat("'", base::Shorten(request.id()),
                                      "' is not 16 lower-case hexadecimal digits"));
  }
  CDGATE_RETURN_IF_ERROR(CheckText("type", request.type(), true, kMaxAccessTypeBytes));
  CDGATE_RETURN_IF_ERROR(CheckText("source", request.source(), false, kMaxAccessTextBytes));
  return CheckText("reason", request.reason(), true, kMaxAccessTextBytes);
}

absl::Status CheckAnswer(absl::string_view answer) {
  return CheckText("answer", answer, false, kMaxAccessTextBytes);
}

std::vector<AccessRequest> AccessRequestsOf(const ResourceSnapshot& resources,
                                            absl::string_view kind, absl::string_view peer) {
  std::vector<AccessRequest> out;
  for (const ResourcePtr& held : Held(resources, kind, peer)) {
    auto request = held->As<AccessRequest>();
    if (request.ok()) out.push_back(*std::move(request));
  }
  std::stable_sort(out.begin(), out.end(), [](const AccessRequest& a, const AccessRequest& b) {
    return TimeOf(a.create_time()) < TimeOf(b.create_time());
  });
  return out;
}

void AddAccessRequests(const ResourceSnapshot& resources, absl::string_view peer,
                       federation::v1::Catalogue* catalogue) {
  for (const AccessRequest& own : AccessRequestsOf(resources, kOwnAccessRequestKind, peer)) {
    if (catalogue->requests_size() == link::kMaxAccessRequests) break;
    federation::v1::AccessRequest& request = *catalogue->add_requests();
    request.set_id(own.id());
    request.set_type(own.type());
    request.set_source(own.source());
    request.set_reason(own.reason());
    *request.mutable_create_time() = own.create_time();
  }
  for (const AccessRequest& asked : AccessRequestsOf(resources, kAccessRequestKind, peer)) {
    if (asked.state() == admin::v1::ACCESS_STATE_PENDING) continue;
    if (catalogue->answers_size() == link::kMaxAccessRequests) break;
    federation::v1::AccessAnswer& answer = *catalogue->add_answers();
    answer.set_id(asked.id());
    answer.set_approved(asked.state() == admin::v1::ACCESS_STATE_APPROVED);
    answer.set_reason(asked.answer());
  }
}

std::vector<ResourceEdit> EditsOfTold(const ResourceSnapshot& resources, absl::string_view peer,
                                      const federation::v1::Catalogue& told, absl::Time now,
                                      size_t* may_add) {
  std::vector<ResourceEdit> edits;
  TakeRequests(resources, peer, told, now, may_add, &edits);
  TakeAnswers(resources, peer, told, now, &edits);
  return edits;
}

std::vector<ResourceEdit> EditsOfAge(const ResourceSnapshot& resources, absl::Time now) {
  std::vector<ResourceEdit> edits;
  for (const char* const kind : {kAccessRequestKind, kOwnAccessRequestKind}) {
    for (const ResourcePtr& held : resources.List(kind)) {
      const std::string peer = held->name.substr(0, held->name.find('/'));
      const bool gone = resources.Find(state::kPeerKind, peer) == nullptr;
      // Theirs end when they say so.
      const bool old = kind == kOwnAccessRequestKind && IsOld(held, now);
      if (gone || old) edits.push_back(Forget(*held, kAccessAuthor));
    }
  }
  return edits;
}

}  // namespace cdgate::manager
