#include "gateway/app/audited_methods.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace cdgate::app {
namespace {

constexpr absl::string_view kAdministration = "/cdgate.admin.v1.";
constexpr absl::string_view kAudit = "/cdgate.admin.v1.AuditService/";
constexpr absl::string_view kEnrol = "/cdgate.federation.v1.EnrolmentService/Enrol";
constexpr absl::string_view kReadingVerbs[] = {"Get",    "List",     "Check", "Count", "Explain",
                                               "WhoGot", "Describe", "Watch", "Doctor"};

// "Can" begins CanPublish and not CancelPlan.
bool BeginsWithWord(absl::string_view name, absl::string_view word) {
  return absl::StartsWith(name, word) &&
         (name.size() == word.size() ||
          absl::ascii_isupper(static_cast<unsigned char>(name[word.size()])));
}

}  // namespace

CallUse UseOf(absl::string_view method) {
  if (method == kEnrol) return CallUse::kEnrolment;
  if (absl::StartsWith(method, kAudit)) return CallUse::kLookedUp;
  if (!absl::StartsWith(method, kAdministration)) return CallUse::kNotRecorded;
  const absl::string_view name = method.substr(method.rfind('/') + 1);
  for (const absl::string_view verb : kReadingVerbs) {
    if (BeginsWithWord(name, verb)) return CallUse::kReading;
  }
  return CallUse::kAct;
}

bool IsRecorded(CallUse use, authz::Listener listener) {
  if (use == CallUse::kReading) return listener == authz::Listener::kLocal;
  return use != CallUse::kNotRecorded;
}

}  // namespace cdgate::app
