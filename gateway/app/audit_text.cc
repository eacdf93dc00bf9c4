#include "gateway/app/audit_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/timestamp.pb.h>

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::app {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMaxValueBytes = 200;
constexpr size_t kMaxFields = 24;     // in an entry
constexpr size_t kMaxLeaves = 20000;  // looked at in a message
constexpr int kMaxDepth = 16;

// Words in names of fields that hold what nobody may read here.
constexpr const char* kSecretWords[] = {"secret",   "sealed", "token",      "code", "private",
                                        "password", "key",    "passphrase", "proof"};

bool MayHoldSecret(const std::string& name) {
  for (const char* word : kSecretWords) {
    if (absl::StrContains(name, word)) return true;
  }
  return false;
}

std::string Digest(absl::string_view bytes) { return base::HexEncode(crypto::Sha256(bytes)); }

std::string Cut(const std::string& value) {
  if (value.size() <= kMaxValueBytes) return value;
  return absl::StrCat("sha256:", Digest(value), " (", value.size(), " bytes)");
}

// Walks one message.
class Flattener {
 public:
  explicit Flattener(std::map<std::string, std::string>* out) : out_(*out) {}

  void Walk(const Message& message, const std::string& prefix, int depth) {
    std::vector<const FieldDescriptor*> fields;
    const Reflection& reflection = *message.GetReflection();
    reflection.ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      if (MayHoldSecret(field->name())) continue;
      const std::string path =
          prefix.empty() ? field->name() : absl::StrCat(prefix, ".", field->name());
      if (!field->is_repeated()) {
        One(message, field, -1, path, depth);
        continue;
      }
      const int count = reflection.FieldSize(message, field);
      for (int i = 0; i < count && out_.size() < kMaxLeaves; ++i) {
        One(message, field, i, absl::StrCat(path, "[", i, "]"), depth);
      }
    }
  }

 private:
  void One(const Message& message, const FieldDescriptor* field, int index, const std::string& path,
           int depth) {
    const Reflection& r = *message.GetReflection();
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      out_[path] = Scalar(message, r, field, index);
      return;
    }
    const Message& inner =
        index < 0 ? r.GetMessage(message, field) : r.GetRepeatedMessage(message, field, index);
    if (const auto* time = dynamic_cast<const google::protobuf::Timestamp*>(&inner)) {
      out_[path] = audit::TimeText(absl::FromUnixSeconds(time->seconds()));
    } else if (depth < kMaxDepth) {
      Walk(inner, path, depth + 1);
    }
  }

  static std::string Scalar(const Message& m, const Reflection& r, const FieldDescriptor* field,
                            int i) {
    const bool one = i < 0;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string value = one ? r.GetString(m, field) : r.GetRepeatedString(m, field, i);
        return field->type() == FieldDescriptor::TYPE_BYTES ? "sha256:" + Digest(value)
                                                            : Cut(value);
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        return (one ? r.GetBool(m, field) : r.GetRepeatedBool(m, field, i)) ? "true" : "false";
      case FieldDescriptor::CPPTYPE_ENUM:
        return (one ? r.GetEnum(m, field) : r.GetRepeatedEnum(m, field, i))->name();
      case FieldDescriptor::CPPTYPE_INT32:
        return absl::StrCat(one ? r.GetInt32(m, field) : r.GetRepeatedInt32(m, field, i));
      case FieldDescriptor::CPPTYPE_INT64:
        return absl::StrCat(one ? r.GetInt64(m, field) : r.GetRepeatedInt64(m, field, i));
      case FieldDescriptor::CPPTYPE_UINT32:
        return absl::StrCat(one ? r.GetUInt32(m, field) : r.GetRepeatedUInt32(m, field, i));
      case FieldDescriptor::CPPTYPE_UINT64:
        return absl::StrCat(one ? r.GetUInt64(m, field) : r.GetRepeatedUInt64(m, field, i));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return absl::StrCat(one ? r.GetDouble(m, field) : r.GetRepeatedDouble(m, field, i));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return absl::StrCat(one ? r.GetFloat(m, field) : r.GetRepeatedFloat(m, field, i));
      case FieldDescriptor::CPPTYPE_MESSAGE: break;
    }
    return "";
  }

  std::map<std::string, std::string>& out_;
};

// A new message of a type of the public API; null where there is none of that name.
std::unique_ptr<Message> NewMessage(const google::protobuf::Descriptor* type) {
  if (type == nullptr) return nullptr;
  const Message* const prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  return prototype == nullptr ? nullptr : std::unique_ptr<Message>(prototype->New());
}

// The message of a kind of resources, named as the kind is: "grant" is cdgate.admin.v1.Grant.
// What is kept of a plan is a message of another name; its act shows what was planned.
std::unique_ptr<Message> MessageOfKind(absl::string_view kind) {
  if (kind == state::kPlanKind) return nullptr;
  std::string name = "cdgate.admin.v1.";
  bool upper = true;
  for (const char c : kind) {
    if (c != '-') name.push_back(upper ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c);
    upper = c == '-';
  }
  return NewMessage(
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name));
}

std::map<std::string, std::string> FieldsOfResource(const state::ResourcePtr& resource) {
  if (resource == nullptr || resource->deleted) return {};
  const std::unique_ptr<Message> message = MessageOfKind(resource->kind);
  if (message == nullptr || !message->ParseFromString(resource->value)) return {};
  return app::FieldsOf(*message);
}

audit::Members VersionText(const state::ResourcePtr& resource) {
  audit::Members out;
  if (resource == nullptr) return out;
  out.Number("version", resource->version);
  if (resource->deleted) {
    out.Json("deleted", "true");
  } else {
    out.Text("sha256", Digest(resource->value));
  }
  return out;
}

void AddDifferences(const std::map<std::string, std::string>& before,
                    const std::map<std::string, std::string>& after, audit::Members* out) {
  std::set<std::string> paths;
  for (const auto& [path, value] : before) paths.insert(path);
  for (const auto& [path, value] : after) paths.insert(path);
  std::vector<audit::Members> fields;
  uint64_t more = 0;
  for (const std::string& path : paths) {
    const auto was = before.find(path);
    const auto is = after.find(path);
    if (was != before.end() && is != after.end() && was->second == is->second) continue;
    if (fields.size() >= kMaxFields) {
      ++more;
      continue;
    }
    audit::Members& field = fields.emplace_back();
    field.Text("path", path);
    if (was != before.end()) field.Text("before", was->second);
    if (is != after.end()) field.Text("after", is->second);
  }
  if (!fields.empty()) out->Objects("fields", fields);
  if (more > 0) out->Number("more_fields", more);
}

}  // namespace

std::map<std::string, std::string> FieldsOf(const Message& message) {
  std::map<std::string, std::string> out;
  Flattener(&out).Walk(message, "", 0);
  return out;
}

audit::Members ChangeText(const AuditedChange& change) {
  const state::StoredResource& after = *change.after;
  audit::Members out;
  out.Text("kind", after.kind).Text("name", Cut(after.name)).Text("author", after.author);
  out.Number("commit", after.commit);
  out.Object("before", VersionText(change.before)).Object("after", VersionText(change.after));
  if (!after.plan.empty()) out.Text("plan", base::HexEncode(after.plan));
  out.Text("approved_by", after.approved_by);
  if (after.unplanned) out.Json("unplanned", "true");
  AddDifferences(FieldsOfResource(change.before), FieldsOfResource(change.after), &out);
  return out;
}

audit::Members RequestText(absl::string_view method, const grpc::ByteBuffer& request) {
  audit::Members out;
  std::string name(method.substr(method.empty() ? 0 : 1));
  absl::StrReplaceAll({{"/", "."}}, &name);
  const auto* const descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
  if (descriptor == nullptr) return out;
  const std::unique_ptr<Message> message = NewMessage(descriptor->input_type());
  if (message == nullptr || !rpc::Parse(request, message.get()).ok()) return out;
  size_t left = kMaxFields;
  for (const auto& [path, value] : FieldsOf(*message)) {
    if (left-- == 0) break;
    out.Text(path, value);
  }
  return out;
}

}  // namespace cdgate::app
