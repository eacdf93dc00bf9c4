#include "gateway/cdevents/faults.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/base/errors.h"
#include "google/rpc/error_details.pb.h"

namespace cdgate::cdevents {
namespace {

constexpr size_t kNamedFaults = 3;  // in a message
constexpr size_t kMaxPayloadBytes = 2048;
constexpr absl::string_view kFound = ", found ";

std::string Describe(const Fault& fault) {
  return fault.value.empty() ? fault.rule : absl::StrCat(fault.rule, kFound, fault.value);
}

google::rpc::BadRequest ToProto(const Faults& faults) {
  google::rpc::BadRequest proto;
  size_t bytes = 0;
  for (const Fault& fault : faults.list) {
    std::string description = Describe(fault);
    bytes += fault.path.size() + description.size() + 8;
    if (bytes > kMaxPayloadBytes) break;
    auto& violation = *proto.add_field_violations();
    violation.set_field(fault.path);
    violation.set_description(std::move(description));
  }
  return proto;
}

Fault FromProto(const google::rpc::BadRequest::FieldViolation& violation) {
  const absl::string_view description = violation.description();
  const size_t found = description.find(kFound);
  Fault fault;
  fault.path = violation.field();
  fault.rule = std::string(description.substr(0, found));
  if (found != absl::string_view::npos) {
    fault.value = std::string(description.substr(found + kFound.size()));
  }
  return fault;
}

}  // namespace

std::string ToText(const Fault& fault) {
  return absl::StrCat(fault.path.empty() ? "the data" : fault.path, ": ", Describe(fault));
}

absl::Status FaultsError(base::Reason reason, absl::string_view begin, const Faults& faults) {
  const size_t named = std::min(faults.list.size(), kNamedFaults);
  const size_t all = faults.list.size() + faults.more;
  const auto text = [](std::string* out, const Fault& fault) {
    absl::StrAppend(out, ToText(fault));
  };
  std::string message = absl::StrCat(
      begin, ": ", absl::StrJoin(faults.list.begin(), faults.list.begin() + named, "; ", text));
  if (all > named) absl::StrAppend(&message, "; and ", all - named, " more");
  const Fault first = faults.list.empty() ? Fault() : faults.list.front();
  absl::Status status = base::MakeError(reason, message,
                                        {{"path", first.path},
                                         {"rule", first.rule},
                                         {"value", first.value},
                                         {"faults", absl::StrCat(all)}});
  status.SetPayload(kBadRequestUrl, absl::Cord(ToProto(faults).SerializeAsString()));
  return status;
}

absl::Status FaultsError(const Faults& faults, absl::string_view what) {
  return FaultsError(base::Reason::kInvalidEvent, absl::StrCat("not a conforming ", what), faults);
}

std::vector<Fault> FaultsOf(const absl::Status& status) {
  std::vector<Fault> faults;
  const auto payload = status.GetPayload(kBadRequestUrl);
  google::rpc::BadRequest proto;
  if (!payload || !proto.ParseFromString(std::string(*payload))) return faults;
  for (const auto& violation : proto.field_violations()) faults.push_back(FromProto(violation));
  return faults;
}

}  // namespace cdgate::cdevents
