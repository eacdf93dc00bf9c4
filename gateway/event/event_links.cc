#include "gateway/event/event_links.h"

#include <string_view>

#include "absl/strings/str_cat.h"

namespace cdgate::event {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// The member by either of its names, the one of 0.4.0 last; empty where it is no text.
absl::string_view TextOf(const object& whole, std::string_view name, std::string_view old_name) {
  std::string_view text;
  if (whole[name].get(text) == simdjson::SUCCESS) return ToAbsl(text);
  if (whole[old_name].get(text) == simdjson::SUCCESS) return ToAbsl(text);
  return "";
}

bool ContextOf(JsonParser& parser, absl::string_view data, object* context) {
  const auto root = parser.ParseAdmitted(data);
  return root.ok() && (*root)["context"].get(*context) == simdjson::SUCCESS;
}

absl::string_view ChainIn(const object& context) { return TextOf(context, "chainId", "chain_id"); }

// The other event of a link that an event carries: behind a PATH or an END comes the event
// itself, a RELATION is to its target. START and what stands alone name theirs otherwise.
EventLink ReadLink(const object& link, size_t index) {
  EventLink out{.type = std::string(TextOf(link, "linkType", "link_type")),
                .kind = std::string(TextOf(link, "linkKind", "link_kind"))};
  for (const std::string_view node_name : {"from", "target", "start"}) {
    object node;
    if (link[node_name].get(node) != simdjson::SUCCESS) continue;
    out.context_id = std::string(TextOf(node, "contextId", "context_id"));
    out.domain_id = std::string(TextOf(node, "domainId", "domain_id"));
    if (out.context_id.empty()) return out;
    const bool is_new = node["contextId"].error() == simdjson::SUCCESS;
    out.pointer = absl::StrCat("/context/links/", index, "/", ToAbsl(node_name),
                               is_new ? "/contextId" : "/context_id");
    return out;
  }
  return out;
}

}  // namespace

absl::string_view LinkReader::ChainOf(absl::string_view data) {
  object context;
  return ContextOf(parser_, data, &context) ? ChainIn(context) : absl::string_view();
}

EventLinks LinkReader::Read(absl::string_view data) {
  EventLinks out;
  object context;
  if (!ContextOf(parser_, data, &context)) return out;
  out.chain_id = std::string(ChainIn(context));
  array links;
  if (context["links"].get(links) != simdjson::SUCCESS) return out;
  size_t index = 0;
  for (const element each : links) {
    object link;
    const size_t at = index++;
    if (each.get(link) != simdjson::SUCCESS) continue;
    if (out.links.size() < kMaxLinks) {
      out.links.push_back(ReadLink(link, at));
    } else {
      ++out.more;
    }
  }
  return out;
}

}  // namespace cdgate::event
