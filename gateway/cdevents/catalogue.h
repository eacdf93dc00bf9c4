// The CDEvents model: what each release says of each type, compiled from the options of
// proto/cdevents/v1 into tables that validator, codec and version bridge read.
//
//   const Catalogue& catalogue = Catalogue::Get();
//   const Type* type = catalogue.FindType("dev.cdevents.pipelinerun.finished.0.3.0");
//   const Form& form = type->FormOf(/*version=*/"", /*specversion=*/"0.5.1");
//   form.root->Find("context");
//
// A type string says which family of releases an event is of. Within a family the rules
// differ by the release that the event declares: in 0.4 `chain_id` is known where it
// declares 0.4.0; the 0.6 draft's stricter rules count where it declares 0.6.
//
// Built at the first use, which takes some milliseconds; immutable and thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace cdgate::cdevents {

// Releases with one set of rules; the values of cdevents.v1.Family.
enum class Family : uint8_t { kNone = 0, k03 = 1, k040 = 2, k041 = 3, k05 = 4, k06 = 5 };
inline constexpr size_t kFamilies = 6;

// "0.3.0", "0.4.0", "0.4.1", "0.5.1", "0.6.0-draft": the release whose rules count.
absl::string_view ReleaseOf(Family family);

// What a JSON value has to be.
enum class Kind : uint8_t {
  kText,
  kTexts,         // an array of texts
  kObject,        // an object of members that are known
  kAnyObject,     // an object of any
  kObjectOrText,  // an object of any, or a text
  kLinks,         // an array of links
};

// The values of cdevents.v1.Format.
enum class Format : uint8_t {
  kNone = 0,
  kUri = 1,
  kUriReference = 2,
  kDateTime = 3,
  kDomainId = 4,
  kCustomType = 5,
  kCustomSubject = 6,
};

struct Object;

// A value that is written `before` in the families before `since`, `after` from then on.
struct RenamedValue {
  Family since;
  absl::string_view before, after;
};

// One member of an object, in one family.
struct Member {
  absl::string_view name;
  Kind kind = Kind::kText;
  Format format = Format::kNone;
  bool required = false;
  bool not_empty = false;
  // The field is not of the object's own message but of the one around it.
  bool of_parent = false;
  std::vector<absl::string_view> values;        // the only ones; none: any
  std::vector<absl::string_view> known_values;  // for readers of the catalogue
  std::vector<RenamedValue> renamed_values;
  const Object* object = nullptr;           // of a kObject
  std::vector<const Object*> alternatives;  // of the elements of kLinks
  const google::protobuf::FieldDescriptor* field = nullptr;
};

// An object of known members, in one family.
struct Object {
  // The member, or null. `hint`: where it is likely; any number.
  const Member* Find(absl::string_view name, size_t hint = 0) const;

  const google::protobuf::Descriptor* message = nullptr;
  std::vector<Member> members;  // at most 32
  uint32_t required = 0;        // a bit for each member
  bool open = false;            // other members may be there
  bool one_member = false;      // at least one of `members` has to be there
  // Holds the other members; null where the object is not open.
  const google::protobuf::FieldDescriptor* others = nullptr;
};

// One subject and predicate in one family.
struct Form {
  const google::protobuf::Descriptor* message = nullptr;  // of cdevents.v1
  Family family = Family::kNone;
  absl::string_view type;  // the type string; empty: any custom one
  absl::string_view subject_type;
  const Object* root = nullptr;
};

// One type string.
struct Type {
  // The rules for an event of this type that declares these releases; empty: it declares
  // none.
  const Form& FormOf(absl::string_view version, absl::string_view specversion) const;

  std::string name;  // "dev.cdevents.pipelinerun.finished.0.3.0"; empty: custom events
  absl::string_view subject, predicate;
  absl::string_view description;  // one sentence
  // Those that differ by what the event declares; null where there is none.
  std::array<const Form*, kFamilies> forms{};
  // Releases that have it, oldest first: "0.4.0", "0.4.1".
  std::vector<absl::string_view> releases;
};

// TOOL-SUBJECT of "dev.cdeventsx.TOOL-SUBJECT.PREDICATE.M.m.p"; empty where `type` is no
// type of a custom event.
absl::string_view CustomSubjectOf(absl::string_view type);
// Whether `text` is TOOL-SUBJECT.
bool IsCustomSubject(absl::string_view text);

class Catalogue {
 public:
  static const Catalogue& Get();
  Catalogue(const Catalogue&) = delete;
  Catalogue& operator=(const Catalogue&) = delete;

  // The type of this name, for custom events the one that stands for all of them; null
  // where no release has it.
  const Type* FindType(absl::string_view name) const;
  // All but that of custom events, by name.
  const std::vector<const Type*>& types() const { return types_; }
  const Type& custom() const { return *custom_; }

  // The form of a message of cdevents.v1 in a family; null where it is not in it.
  const Form* FindForm(const google::protobuf::Descriptor* message, Family family) const;
  // The links that stand alone, by their linkType; empty in a family that has none.
  const std::vector<const Object*>& links(Family family) const {
    return links_[static_cast<size_t>(family)];
  }

 private:
  friend class CatalogueBuilder;
  Catalogue() = default;
  ~Catalogue() = default;

  std::vector<std::unique_ptr<Object>> objects_;
  std::vector<std::unique_ptr<Form>> forms_;
  std::vector<std::unique_ptr<Type>> owned_types_;
  std::vector<const Type*> types_;
  const Type* custom_ = nullptr;
  absl::flat_hash_map<absl::string_view, const Type*> by_name_;
  absl::flat_hash_map<const google::protobuf::Descriptor*, std::array<const Form*, kFamilies>>
      by_message_;
  std::array<std::vector<const Object*>, kFamilies> links_;
};

}  // namespace cdgate::cdevents
