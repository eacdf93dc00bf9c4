#include "federation/attestation/field_proof.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::attestation {
namespace {

using event::AsBytes;

// What becomes of one field of the original; as FieldProof.kinds has it.
constexpr char kKept = 0;
constexpr char kWithheld = 1;
constexpr char kSubstituted = 2;

// Where @subject comes from.
constexpr absl::string_view kSubjectId = "/subject/id";

// What an event is known by, and what says its type and release; nobody stands in for these.
bool IsIdentity(absl::string_view pointer) {
  for (const absl::string_view one :
       {"/context/id", "/context/source", "/context/type", "/context/version",
        "/context/specversion", "/context/timestamp", "/subject/type"}) {
    if (pointer == one) return true;
  }
  return false;
}

absl::Status Invalid(absl::string_view what) {
  return base::MakeError(base::Reason::kAttestationInvalid, what);
}

absl::Status InvalidField(absl::string_view name, absl::string_view what) {
  return Invalid(absl::StrCat("field ", base::Shorten(name), " of the copy ", what));
}

void AssignSorted(const std::vector<absl::string_view>& from, std::vector<absl::string_view>* to) {
  to->assign(from.begin(), from.end());
  std::sort(to->begin(), to->end());
}

bool Contains(const std::vector<absl::string_view>& sorted, absl::string_view text) {
  return std::binary_search(sorted.begin(), sorted.end(), text);
}

}  // namespace

void CopyReader::Start(const CopyView& copy) {
  fields_.Start(copy.event);
  AssignSorted(copy.withheld, &withheld_);
  AssignSorted(copy.substituted, &substituted_);
  passed_over_ = 0;
}

bool CopyReader::Next() {
  while (fields_.Next()) {
    if (!PassesOver()) return true;
    ++passed_over_;
  }
  return false;
}

bool CopyReader::PassesOver() {
  if (fields_.is_attribute() || withheld_.empty()) return false;
  const absl::string_view value = fields_.value();
  if (value == "{}" || value == "[]") return HoldsWithheld(fields_.pointer());
  return value == "null" && IsElement() && Contains(withheld_, fields_.pointer());
}

// An element that is taken out of an array leaves a null in its place.
bool CopyReader::IsElement() const {
  const absl::string_view name = fields_.name();
  const size_t last = name.rfind('/');
  return last != absl::string_view::npos && absl::StartsWith(name.substr(last), "/~2");
}

// Whether one of the pointers to what was withheld leads through `pointer`.
bool CopyReader::HoldsWithheld(absl::string_view pointer) {
  scratch_.assign(pointer.data(), pointer.size());
  scratch_.push_back('/');
  const auto at = std::lower_bound(withheld_.begin(), withheld_.end(), scratch_);
  return at != withheld_.end() && absl::StartsWith(*at, scratch_);
}

bool CopyReader::MaySubstitute() {
  if (fields_.is_attribute()) {
    return name() == "@subject" &&
           (Contains(substituted_, kSubjectId) || Contains(withheld_, kSubjectId));
  }
  const absl::string_view pointer = fields_.pointer();
  return Contains(substituted_, pointer) && !IsIdentity(pointer);
}

// One field of the original, as a proof has it.
struct FieldProver::Entry {
  char kind = kKept;
  absl::string_view value;  // the salt of one that is kept, else the digest of the field
};

// The entries of a proof, one after the other.
class FieldProver::Entries {
 public:
  explicit Entries(const federation::v1::FieldProof& proof)
      : kinds_(proof.kinds()), values_(proof.values()) {}

  size_t size() const { return kinds_.size(); }
  // False where the values end before.
  bool Next(Entry* entry) {
    entry->kind = kinds_[next_++];
    const size_t size = entry->kind == kKept ? event::kSaltBytes : crypto::kSha256Bytes;
    if (values_.size() < size) return false;
    entry->value = values_.substr(0, size);
    values_.remove_prefix(size);
    return true;
  }
  bool done() const { return values_.empty(); }

 private:
  const absl::string_view kinds_;
  absl::string_view values_;
  size_t next_ = 0;
};

absl::Status FieldProver::Read(absl::string_view proof) {
  if (proof.size() > kMaxFieldProofBytes ||
      !read_.ParseFromArray(proof.data(), static_cast<int>(proof.size()))) {
    return Invalid("the field proof is malformed or too large");
  }
  const std::string& kinds = read_.kinds();
  const bool known = std::all_of(kinds.begin(), kinds.end(), [](char kind) {
    return kind == kKept || kind == kWithheld || kind == kSubstituted;
  });
  if (known && !kinds.empty() && kinds.size() <= event::kMaxFields) return absl::OkStatus();
  return Invalid("the field proof has no fields, too many, or some of an unknown kind");
}

void FieldProver::StartCopy(const CopyView& copy) {
  copy_.Start(copy);
  passed_before_gap_ = withheld_in_gap_ = 0;
  copy_has_field_ = copy_.Next();
}

// What is left of objects and elements stands for something that was withheld there.
absl::Status FieldProver::CheckGap() {
  if (copy_.passed_over() - passed_before_gap_ <= withheld_in_gap_) return absl::OkStatus();
  return Invalid("the copy has an empty object, array or element that nothing was withheld from");
}

absl::Status FieldProver::AdvanceCopy() {
  CDGATE_RETURN_IF_ERROR(CheckGap());
  passed_before_gap_ = copy_.passed_over();
  withheld_in_gap_ = 0;
  copy_has_field_ = copy_.Next();
  return absl::OkStatus();
}

absl::Status FieldProver::EndCopy() {
  if (copy_has_field_)
    return InvalidField(copy_.name(), "is none of the origin's, or not in place");
  if (!copy_.ok()) return Invalid("the copy's data is not JSON, or has too many fields");
  return CheckGap();
}

absl::StatusOr<Digest> FieldProver::Verify(const CopyView& copy, absl::string_view proof) {
  CDGATE_RETURN_IF_ERROR(Read(proof));
  StartCopy(copy);
  hasher_.Begin();
  Entries entries(read_);
  for (size_t i = 0; i < entries.size(); ++i) {
    Entry entry;
    if (!entries.Next(&entry)) return Invalid("the field proof ends within its values");
    CDGATE_RETURN_IF_ERROR(Take(entry));
  }
  if (!entries.done()) return Invalid("the field proof has more values than fields");
  CDGATE_RETURN_IF_ERROR(EndCopy());
  return hasher_.Commitment();
}

absl::Status FieldProver::Take(const Entry& entry) {
  if (entry.kind == kWithheld) {
    ++withheld_in_gap_;
    hasher_.Add(*ReadDigest(entry.value));
    return absl::OkStatus();
  }
  if (!copy_has_field_) return Invalid("the copy has fewer fields than its proof");
  if (entry.kind == kKept) {
    hasher_.Add(hasher_.Field(entry.value, copy_.name(), copy_.value()));
  } else if (copy_.MaySubstitute()) {
    hasher_.Add(*ReadDigest(entry.value));
  } else {
    return InvalidField(copy_.name(), "is not listed as substituted, or may not be");
  }
  return AdvanceCopy();
}

absl::StatusOr<std::string> FieldProver::Alter(const event::CloudEventView& original,
                                               absl::string_view salt, const CopyView& copy) {
  made_.Clear();
  StartCopy(copy);
  uint32_t index = 0;
  for (original_.Start(original); original_.Next(); ++index) {
    const event::FieldSalt field_salt = hasher_.SaltOf(salt, index);
    CDGATE_RETURN_IF_ERROR(
        Append({kKept, AsBytes(field_salt)}, original_.name(), original_.value()));
  }
  if (!original_.ok()) return Invalid("the event is not JSON, or has too many fields");
  return Finish();
}

absl::StatusOr<std::string> FieldProver::AlterAgain(const CopyView& before, absl::string_view proof,
                                                    const CopyView& copy) {
  CDGATE_RETURN_IF_ERROR(Read(proof));
  made_.Clear();
  StartCopy(copy);
  before_.Start(before);
  Entries entries(read_);
  for (size_t i = 0; i < entries.size(); ++i) {
    Entry entry;
    if (!entries.Next(&entry)) return Invalid("the field proof ends within its values");
    if (entry.kind == kWithheld) {
      Add(kWithheld, entry.value);
    } else if (before_.Next()) {
      CDGATE_RETURN_IF_ERROR(Append(entry, before_.name(), before_.value()));
    } else {
      return Invalid("the copy had fewer fields than its proof");
    }
  }
  if (!entries.done() || before_.Next() || !before_.ok()) {
    return Invalid("the copy did not fit its proof before it was altered");
  }
  return Finish();
}

// What became of a field that had been kept or substituted, and was `name`, `value`.
absl::Status FieldProver::Append(const Entry& entry, absl::string_view name,
                                 absl::string_view value) {
  const bool kept_so_far = entry.kind == kKept;
  if (copy_has_field_ && copy_.name() == name) {
    if (kept_so_far && copy_.value() == value) {
      Add(kKept, entry.value);
      return AdvanceCopy();
    }
    if (!copy_.MaySubstitute()) return InvalidField(name, "was changed and is not substituted");
    AddDigest(kSubstituted, entry, name, value);
    return AdvanceCopy();
  }
  AddDigest(kWithheld, entry, name, value);
  return absl::OkStatus();
}

void FieldProver::AddDigest(char kind, const Entry& entry, absl::string_view name,
                            absl::string_view value) {
  if (entry.kind != kKept) return Add(kind, entry.value);
  const Digest digest = hasher_.Field(entry.value, name, value);
  Add(kind, AsBytes(digest));
}

void FieldProver::Add(char kind, absl::string_view value) {
  if (kind == kWithheld) ++withheld_in_gap_;
  made_.mutable_kinds()->push_back(kind);
  made_.mutable_values()->append(value.data(), value.size());
}

absl::StatusOr<std::string> FieldProver::Finish() {
  CDGATE_RETURN_IF_ERROR(EndCopy());
  return made_.SerializeAsString();
}

}  // namespace cdgate::attestation
