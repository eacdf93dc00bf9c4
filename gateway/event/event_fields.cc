#include "gateway/event/event_fields.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cdgate::event {
namespace {

// The zero byte is behind each.
constexpr char kSaltLabel[] = "cdgate/field-salt/v1";
constexpr char kFieldLabel[] = "cdgate/field/v1";
constexpr char kRootLabel[] = "cdgate/fields/v1";
constexpr char kCommitmentLabel[] = "cdgate/commit/v2";
constexpr char kAttributesLabel[] = "cdgate/attributes/v1";

template <size_t n>
absl::string_view WithZero(const char (&label)[n]) {
  return absl::string_view(label, n);
}

// Levels that the data may have; admission lets fewer pass.
constexpr size_t kMaxDepth = 128;

void AppendAttributeValue(const AttributeView& attribute, std::string* out) {
  out->push_back(static_cast<char>(attribute.kind));
  switch (attribute.kind) {
    case AttributeKind::kNone: break;
    case AttributeKind::kBoolean: out->push_back(attribute.boolean ? 1 : 0); break;
    case AttributeKind::kInteger:
      AppendBigEndian32(static_cast<uint32_t>(attribute.integer), out);
      break;
    case AttributeKind::kTimestamp:
      AppendBigEndian64(static_cast<uint64_t>(attribute.seconds), out);
      AppendBigEndian32(static_cast<uint32_t>(attribute.nanos), out);
      break;
    default: out->append(attribute.text.data(), attribute.text.size());
  }
}

}  // namespace

void SortedAttributes::Read(const CloudEventView& event) {
  all_.clear();
  event.ForEach([this](const AttributeView& attribute) { all_.push_back(attribute); });
  AttributeView& id = all_.emplace_back();
  id.name = "id";
  id.kind = AttributeKind::kString;
  id.text = event.id();
  // Numbers are moved, not views: there are some ten, nearly in order.
  order_.resize(all_.size());
  for (size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<uint32_t>(i);
  std::sort(order_.begin(), order_.end(),
            [this](uint32_t a, uint32_t b) { return all_[a].name < all_[b].name; });
}

void FieldReader::Start(const CloudEventView& event) {
  attributes_.Read(event);
  next_attribute_ = 0;
  in_.Start(event.data());
  in_data_ = false;
  levels_.clear();
  ok_ = too_large_ = false;
  fields_ = name_bytes_ = 0;
}

bool FieldReader::Next() {
  is_attribute_ = next_attribute_ < attributes_.size();
  if (is_attribute_) return Attribute(attributes_[next_attribute_++]);
  return Leaf();
}

bool FieldReader::Attribute(const AttributeView& attribute) {
  name_.assign("@");
  name_.append(attribute.name.data(), attribute.name.size());
  encoded_.clear();
  AppendAttributeValue(attribute, &encoded_);
  return Found(encoded_);
}

bool FieldReader::Leaf() {
  in_.SkipSpace();
  if (!in_data_) {
    in_data_ = true;
    name_.clear();
    return Descend();
  }
  // Behind a value.
  while (!levels_.empty()) {
    if (in_.Take(',')) return EnterChild() ? Descend() : Fail();
    if (!in_.Take(levels_.back().array ? ']' : '}')) return Fail();
    levels_.pop_back();
    in_.SkipSpace();
  }
  ok_ = in_.done();
  return false;
}

bool FieldReader::Descend() {
  for (;;) {
    const char open = in_.Peek();
    if (open != '{' && open != '[') {
      const size_t from = in_.at();
      return in_.SkipValue() ? Found(in_.Text(from, in_.at())) : Fail();
    }
    in_.Take(open);
    in_.SkipSpace();
    if (in_.Take(open == '{' ? '}' : ']')) return Found(open == '{' ? "{}" : "[]");
    if (levels_.size() == kMaxDepth) return Fail();
    levels_.push_back({open == '[', 0, name_.size()});
    if (!EnterChild()) return Fail();
  }
}

bool FieldReader::EnterChild() {
  Level& level = levels_.back();
  name_.resize(level.name_size);
  in_.SkipSpace();
  if (level.array) {
    absl::StrAppend(&name_, "/~2", level.next++);
    return true;
  }
  absl::string_view member;
  if (!in_.ReadText(&member)) return false;
  AppendPointerToken(member, &name_);
  in_.SkipSpace();
  if (!in_.Take(':')) return false;
  in_.SkipSpace();
  return true;
}

bool FieldReader::Found(absl::string_view value) {
  value_ = value;
  name_bytes_ += name_.size();
  if (++fields_ <= kMaxFields && name_bytes_ <= kMaxFieldNameBytes) return true;
  too_large_ = true;
  return Fail();
}

// Nothing is read from then on.
bool FieldReader::Fail() {
  next_attribute_ = attributes_.size();
  in_.Start("");
  in_data_ = true;
  levels_.assign(1, {});
  return false;
}

absl::string_view FieldReader::pointer() {
  if (is_attribute_ || name_.find("~2") == std::string::npos) return name_;
  pointer_.clear();
  for (size_t i = 0; i < name_.size(); ++i) {
    if (name_[i] == '~' && name_[i + 1] == '2') {
      ++i;
    } else {
      pointer_.push_back(name_[i]);
    }
  }
  return pointer_;
}

FieldHasher::FieldHasher()
    : salt_input_(WithZero(kSaltLabel)),
      field_input_(WithZero(kFieldLabel)),
      root_input_(WithZero(kRootLabel)) {}

FieldSalt FieldHasher::SaltOf(absl::string_view salt, uint32_t index) {
  salt_input_.resize(sizeof kSaltLabel);
  salt_input_.append(salt.data(), salt.size());
  AppendBigEndian32(index, &salt_input_);
  const crypto::Sha256Digest digest = Hash(salt_input_);
  FieldSalt out;
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

crypto::Sha256Digest FieldHasher::Field(absl::string_view field_salt, absl::string_view name,
                                        absl::string_view value) {
  field_input_.resize(sizeof kFieldLabel);
  field_input_.append(field_salt.data(), field_salt.size());
  AppendWithLength(name, &field_input_);
  field_input_.append(value.data(), value.size());
  return Hash(field_input_);
}

void FieldHasher::Begin() { root_input_.resize(sizeof kRootLabel + sizeof(uint32_t)); }

void FieldHasher::Add(const crypto::Sha256Digest& field) {
  const absl::string_view bytes = AsBytes(field);
  root_input_.append(bytes.data(), bytes.size());
}

crypto::Sha256Digest FieldHasher::Commitment() {
  const size_t head = sizeof kRootLabel + sizeof(uint32_t);
  std::string count;
  AppendBigEndian32(static_cast<uint32_t>((root_input_.size() - head) / crypto::kSha256Bytes),
                    &count);
  root_input_.replace(sizeof kRootLabel, count.size(), count);
  const crypto::Sha256Digest root = Hash(root_input_);
  hasher_.Reset();
  hasher_.Update(WithZero(kCommitmentLabel));
  hasher_.Update(AsBytes(root));
  return hasher_.FinalTo();
}

crypto::Sha256Digest FieldHasher::Hash(absl::string_view bytes) { return hasher_.Hash(bytes); }

std::optional<crypto::Sha256Digest> FieldCommitter::Commit(absl::string_view salt,
                                                           const CloudEventView& event) {
  fields_.Begin();
  uint32_t index = 0;
  for (reader_.Start(event); reader_.Next(); ++index) {
    const FieldSalt field_salt = fields_.SaltOf(salt, index);
    fields_.Add(fields_.Field(AsBytes(field_salt), reader_.name(), reader_.value()));
  }
  if (!reader_.ok()) return std::nullopt;
  return fields_.Commitment();
}

crypto::Sha256Digest FieldCommitter::AttributesDigest(const CloudEventView& event) {
  input_.clear();
  AppendAttributes(event, &input_);
  return hasher_.Hash(input_);
}

void FieldCommitter::AppendAttributes(const CloudEventView& event, std::string* out) {
  attributes_.Read(event);
  const absl::string_view label = WithZero(kAttributesLabel);
  out->append(label.data(), label.size());
  AppendBigEndian32(static_cast<uint32_t>(attributes_.size()), out);
  for (size_t i = 0; i < attributes_.size(); ++i) {
    AppendWithLength(attributes_[i].name, out);
    const size_t at = out->size();
    AppendBigEndian32(0, out);
    AppendAttributeValue(attributes_[i], out);
    PutBigEndian32(static_cast<uint32_t>(out->size() - at - sizeof(uint32_t)), &(*out)[at]);
  }
}

}  // namespace cdgate::event
