// Resolving the references of schemas.
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/schema/bundle.h"

namespace cdgate::schema {
namespace {

// Bytes of the scheme, without its colon; 0 where there is none.
size_t SchemeSize(absl::string_view uri) {
  if (uri.empty() || !absl::ascii_isalpha(static_cast<unsigned char>(uri[0]))) return 0;
  for (size_t i = 1; i < uri.size(); ++i) {
    const char c = uri[i];
    if (c == ':') return i;
    const bool part =
        absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '-' || c == '.';
    if (!part) return 0;
  }
  return 0;
}

// Where the path of an absolute URI begins: behind "scheme:" and "//authority".
size_t PathAt(absl::string_view uri) {
  const size_t after = SchemeSize(uri) + 1;
  if (!absl::StartsWith(uri.substr(after), "//")) return after;
  return std::min(uri.find_first_of("/?#", after + 2), uri.size());
}

absl::string_view WithoutLast(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? absl::string_view() : path.substr(0, slash);
}

// RFC 3986, section 5.2.4.
std::string RemoveDots(absl::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t next = path.find('/', 1);
    const absl::string_view segment = path.substr(0, next);
    const bool last = next == absl::string_view::npos;
    path = last ? absl::string_view() : path.substr(next);
    if (segment == "/." || segment == ".") {
      if (last) out += '/';
    } else if (segment == "/.." || segment == "..") {
      out = std::string(WithoutLast(out));
      if (last) out += '/';
    } else {
      absl::StrAppend(&out, segment);
    }
  }
  return out;
}

}  // namespace

bool IsAbsoluteUri(absl::string_view uri) {
  if (SchemeSize(uri) == 0 || uri.size() == SchemeSize(uri) + 1) return false;
  for (const char c : uri) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '#') return false;
  }
  return true;
}

std::string ResolveUri(absl::string_view base, absl::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  if (reference.empty()) return std::string(base);
  if (SchemeSize(reference) > 0) return std::string(reference);
  if (absl::StartsWith(reference, "//")) {
    return absl::StrCat(base.substr(0, SchemeSize(base) + 1), reference);
  }
  const size_t query_at = std::min(reference.find('?'), reference.size());
  const absl::string_view path = reference.substr(0, query_at);
  const absl::string_view query = reference.substr(query_at);
  const absl::string_view without_query = base.substr(0, base.find('?'));
  const size_t path_at = PathAt(without_query);
  const absl::string_view root = without_query.substr(0, path_at);
  if (path.empty()) return absl::StrCat(without_query, query);
  if (path[0] == '/') return absl::StrCat(root, RemoveDots(path), query);
  const std::string merged = absl::StrCat(WithoutLast(without_query.substr(path_at)), "/", path);
  return absl::StrCat(root, RemoveDots(merged), query);
}

}  // namespace cdgate::schema
