#include "gateway/event/event_remarks.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/event/json_parser.h"
#include "gateway/event/lints.h"

namespace cdgate::event {
namespace {

using simdjson::dom::element;

std::optional<absl::string_view> TextAt(const element& root, const std::string& pointer) {
  std::string_view text;
  if (root.at_pointer(pointer).get(text) != simdjson::SUCCESS) return std::nullopt;
  return ToAbsl(text);
}

void LookAtPackage(const element& root, const std::string& path, std::vector<Remark>* remarks) {
  const auto text = TextAt(root, path);
  if (!text) return;
  if (auto fault = PackageUrlFault(*text)) {
    remarks->push_back({path, absl::StrCat("no package URL: ", *std::move(fault))});
  }
}

void LookAtDomainId(const element& root, const std::string& path, std::vector<Remark>* remarks) {
  const auto text = TextAt(root, path);
  if (!text) return;
  if (auto fault = DomainIdFault(*text)) {
    remarks->push_back({path, absl::StrCat("no domainId: ", *std::move(fault))});
  } else if (auto remark = DomainIdRemark(*text)) {
    remarks->push_back({path, *std::move(remark)});
  }
}

}  // namespace

std::vector<Remark> RemarksOn(const element& root) {
  std::vector<Remark> remarks;
  const auto type = TextAt(root, "/context/type");
  if (type && absl::StartsWith(*type, "dev.cdevents.artifact.")) {
    LookAtPackage(root, "/subject/id", &remarks);
  }
  LookAtPackage(root, "/subject/content/artifactId", &remarks);
  simdjson::dom::array links;
  if (root.at_pointer("/context/links").get(links) != simdjson::SUCCESS) return remarks;
  for (size_t i = 0; i < links.size(); ++i) {
    for (const char* const node : {"from", "target"}) {
      LookAtDomainId(root, absl::StrCat("/context/links/", i, "/", node, "/domainId"), &remarks);
    }
  }
  return remarks;
}

}  // namespace cdgate::event
