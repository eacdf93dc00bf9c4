#include "gateway/config/resource_file.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/config/message_reader.h"
#include "gateway/config/suggestion.h"
#include "gateway/config/yaml_node.h"

namespace cdgate::config {
namespace {

constexpr char kKind[] = "kind";
constexpr size_t kMaxDocuments = 10'000;

// The kinds that a file may hold; peers and invites are made by enrolment, subscriptions
// by their owners.
std::vector<std::string> Kinds() { return {"grant", "group", "policy", "schema"}; }

std::unique_ptr<google::protobuf::Message> NewMessage(absl::string_view kind) {
  if (kind == "grant") return std::make_unique<admin::v1::Grant>();
  if (kind == "group") return std::make_unique<admin::v1::Group>();
  if (kind == "policy") return std::make_unique<admin::v1::Policy>();
  if (kind == "schema") return std::make_unique<admin::v1::Schema>();
  return nullptr;
}

// The field that names a resource of the kind.
absl::string_view NameField(absl::string_view kind) {
  return kind == "policy" ? "peer" : kind == "schema" ? "uri" : "name";
}

struct Document {
  absl::string_view text;
  int first_line;
};

// Between lines that begin with "---": no text within a document can have such a line.
std::vector<Document> SplitDocuments(absl::string_view text) {
  std::vector<Document> documents = {{text.substr(0, 0), 1}};
  int line = 1;
  while (!text.empty()) {
    const size_t size = std::min(text.find('\n'), text.size() - 1) + 1;
    const absl::string_view current = text.substr(0, size);
    if (absl::StartsWith(current, "---") && (size == 3 || current.find_first_of(" \t\r\n") == 3)) {
      documents.push_back({current, line});
    } else {
      Document& last = documents.back();
      const char* const begin = last.text.empty() ? current.data() : last.text.data();
      last.text = absl::string_view(begin, last.text.size() + size);
    }
    text.remove_prefix(size);
    ++line;
  }
  return documents;
}

absl::StatusOr<Resource> ReadResource(const YamlNode& root, absl::string_view file) {
  if (root.kind != YamlNode::Kind::kMap || root.members.empty() || root.members[0].key != kKind) {
    return ConfigError(file, root.line, "",
                       absl::StrCat("a resource begins with its kind; expected kind: ",
                                    absl::StrJoin(Kinds(), " or kind: ")));
  }
  Resource resource;
  resource.kind = root.members[0].value.text;
  resource.line = root.members[0].line;
  resource.message = NewMessage(resource.kind);
  if (resource.message == nullptr) {
    return ConfigError(
        file, resource.line, kKind,
        absl::StrCat("found \"", base::Shorten(resource.kind), "\"; expected one of ",
                     absl::StrJoin(Kinds(), ", "), DidYouMean(resource.kind, Kinds())));
  }
  MessageReader reader(file);
  CDGATE_RETURN_IF_ERROR(reader.Read(root, resource.message.get(), kKind));
  const std::string key(NameField(resource.kind));
  const google::protobuf::Message& message = *resource.message;
  resource.name =
      message.GetReflection()->GetString(message, message.GetDescriptor()->FindFieldByName(key));
  if (!resource.name.empty()) return resource;
  return ConfigError(file, resource.line, key, "missing; expected the name of the resource");
}

}  // namespace

absl::StatusOr<std::vector<Resource>> ParseResources(absl::string_view text,
                                                     absl::string_view file) {
  if (text.size() > kMaxYamlBytes) return ConfigError(file, 1, "", "more than 1 MiB");
  const std::vector<Document> documents = SplitDocuments(text);
  if (documents.size() > kMaxDocuments) {
    return ConfigError(file, 1, "", absl::StrCat("more than ", kMaxDocuments, " documents"));
  }
  std::vector<Resource> resources;
  for (const Document& document : documents) {
    CDGATE_ASSIGN_OR_RETURN(const YamlNode root,
                            ParseYaml(document.text, file, document.first_line));
    if (root.kind == YamlNode::Kind::kNull) continue;
    CDGATE_ASSIGN_OR_RETURN(Resource resource, ReadResource(root, file));
    resource.source = std::string(document.text);
    resources.push_back(std::move(resource));
  }
  return resources;
}

absl::StatusOr<std::vector<Resource>> LoadResources(const std::string& path) {
  CDGATE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxYamlBytes));
  return ParseResources(text, path);
}

}  // namespace cdgate::config
