#include "gateway/rpc/request_peers.h"

#include "gateway/base/status_macros.h"
#include "gateway/rpc/call.h"

namespace cdgate::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr const char* kPeerFields[] = {"peer", "domain"};
constexpr char kPolicyField[] = "policy";

const FieldDescriptor* TextField(const Descriptor& type, const char* name) {
  const FieldDescriptor* const field = type.FindFieldByName(name);
  const bool text = field != nullptr && !field->is_repeated() &&
                    field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  return text ? field : nullptr;
}

const FieldDescriptor* PolicyField(const Descriptor& type) {
  const FieldDescriptor* const field = type.FindFieldByName(kPolicyField);
  const bool message = field != nullptr && !field->is_repeated() &&
                       field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  return message ? field : nullptr;
}

void AddPeers(const Message& message, std::vector<std::string>* peers) {
  for (const char* const name : kPeerFields) {
    const FieldDescriptor* const field = TextField(*message.GetDescriptor(), name);
    if (field == nullptr) continue;
    std::string value = message.GetReflection()->GetString(message, field);
    if (!value.empty()) peers->push_back(std::move(value));
  }
}

}  // namespace

bool NamesPeer(const Descriptor& request) {
  for (const char* const name : kPeerFields) {
    if (TextField(request, name) != nullptr) return true;
  }
  const FieldDescriptor* const policy = PolicyField(request);
  return policy != nullptr && TextField(*policy->message_type(), "peer") != nullptr;
}

std::vector<std::string> PeersOf(const Message& request) {
  std::vector<std::string> peers;
  AddPeers(request, &peers);
  const FieldDescriptor* const policy = PolicyField(*request.GetDescriptor());
  if (policy != nullptr && request.GetReflection()->HasField(request, policy)) {
    AddPeers(request.GetReflection()->GetMessage(request, policy), &peers);
  }
  return peers;
}

absl::Status CheckScope(const Call& call, const Message& request) {
  if (call.peers.all() || call.row == nullptr || call.row->reach != authz::Reach::kRequest) {
    return absl::OkStatus();
  }
  const std::vector<std::string> peers = PeersOf(request);
  if (peers.empty()) return call.MayReach("");
  for (const std::string& peer : peers) CDGATE_RETURN_IF_ERROR(call.MayReach(peer));
  return absl::OkStatus();
}

}  // namespace cdgate::rpc
