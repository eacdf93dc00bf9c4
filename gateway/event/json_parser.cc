#include "gateway/event/json_parser.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/json_lexical.h"

namespace cdgate::event {
namespace {

using base::Reason;

absl::Status Ambiguous(absl::string_view what) {
  return base::MakeError(Reason::kAmbiguousJson, absl::StrCat("the data ", what));
}

absl::Status Duplicate(absl::string_view name) {
  return base::MakeError(
      Reason::kAmbiguousJson,
      absl::StrCat("the data has an object with two members named \"", base::Shorten(name), "\""));
}

absl::Status ToStatus(simdjson::error_code error, absl::string_view text) {
  switch (error) {
    case simdjson::EMPTY:
      return base::MakeError(Reason::kInvalidJson, "the data is empty, expected a JSON object");
    case simdjson::UTF8_ERROR: return Ambiguous("is not valid UTF-8");
    case simdjson::DEPTH_ERROR: return Ambiguous("has more than 64 levels");
    case simdjson::CAPACITY:
    case simdjson::MEMALLOC:
      return base::MakeError(Reason::kTooLarge, "the data is too large to parse");
    case simdjson::STRING_ERROR:
      if (HasLoneSurrogate(text)) return Ambiguous("has an escaped surrogate without its pair");
      [[fallthrough]];
    default:
      return base::MakeError(
          Reason::kInvalidJson,
          absl::StrCat("the data is not JSON: ", ToAbsl(simdjson::error_message(error))));
  }
}

}  // namespace

absl::StatusOr<simdjson::dom::element> JsonParser::ParseIJson(absl::string_view text) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") return Ambiguous("begins with a byte order mark");
  CDGATE_ASSIGN_OR_RETURN(simdjson::dom::element root, ParseAdmitted(text));
  if (HasLoneSurrogate(text)) return Ambiguous("has an escaped surrogate without its pair");
  switch (names_.Run(parser_.doc)) {
    case NameCheck::Fault::kNone: break;
    case NameCheck::Fault::kDuplicate: return Duplicate(names_.duplicate());
    case NameCheck::Fault::kDepth: return Ambiguous("has more than 64 levels");
  }
  return root;
}

absl::StatusOr<simdjson::dom::element> JsonParser::ParseAdmitted(absl::string_view text) {
  Copy(text);
  return ParseCopy(text);
}

void JsonParser::Copy(absl::string_view text) {
  if (capacity_ < text.size()) {
    capacity_ = std::max<size_t>(text.size(), 2 * capacity_);
    padded_.reset(new char[capacity_ + simdjson::SIMDJSON_PADDING]);
  } else if (padded_ == nullptr) {
    padded_.reset(new char[simdjson::SIMDJSON_PADDING]);
  }
  if (!text.empty()) std::memcpy(padded_.get(), text.data(), text.size());
  std::memset(padded_.get() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
  size_ = text.size();
}

absl::StatusOr<simdjson::dom::element> JsonParser::ParseCopy(absl::string_view text) {
  simdjson::dom::element root;
  simdjson::error_code error = parser_.parse(padded_.get(), size_, false).get(root);
  // The library refuses numbers beyond its types, JSON does not. Rare, so tried last.
  if (error == simdjson::NUMBER_ERROR && FitNumbersToDouble(padded_.get(), size_)) {
    error = parser_.parse(padded_.get(), size_, false).get(root);
  }
  if (error != simdjson::SUCCESS) return ToStatus(error, text);
  return root;
}

}  // namespace cdgate::event
