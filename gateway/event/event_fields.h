// The fields of an event, to which its origin can commit one by one, so that a copy that lost
// some of them still shows that the others are as they were (docs/attestation.md).
//
//   FieldCommitter committer;                                  // one per worker
//   const std::optional<crypto::Sha256Digest> commitment = committer.Commit(salt, view);
//   if (!commitment) ...                                       // commit to the content
//
//   FieldReader fields;
//   for (fields.Start(view); fields.Next();) Use(fields.name(), fields.value());
//   if (!fields.ok()) ...                                      // not JSON, or too many fields
//
// The data is JSON as it was admitted: well-formed, no member twice. Of anything else the fields
// may be wrong, and nothing worse happens: time and memory are bounded by kMaxFields and
// kMaxFieldNameBytes. All classes keep their memory from one event to the next; none is
// thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "auth/crypto/digest.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/event/digests.h"
#include "gateway/event/json_scan.h"

namespace cdgate::event {

// An event of more fields, or whose names are longer together, is not committed to by fields.
inline constexpr size_t kMaxFields = 16'384;
inline constexpr size_t kMaxFieldNameBytes = 4 << 20;

// The attributes of an event by name, `id` among them. Keeps its memory.
class SortedAttributes {
 public:
  // The event's bytes outlive what is read.
  void Read(const CloudEventView& event);

  size_t size() const { return order_.size(); }
  const AttributeView& operator[](size_t i) const { return all_[order_[i]]; }

 private:
  absl::InlinedVector<AttributeView, 16> all_;
  absl::InlinedVector<uint32_t, 16> order_;
};

// Walks over the fields in the order in which they are committed to: attributes by name, then the
// leaves of the data as they stand in it.
class FieldReader {
 public:
  // The event's bytes outlive the walk.
  void Start(const CloudEventView& event);

  // Moves to the next field. False behind the last, and where the data is no such JSON.
  bool Next();
  // After Next() was false: there were no more fields.
  bool ok() const { return ok_; }
  // After Next() was false: there were too many.
  bool too_large() const { return too_large_; }

  // Good until the next Next(). An attribute is "@" and its name. A leaf is its RFC 6901 pointer
  // with `~2` before the index of each element, which tells it from a member of that name.
  absl::string_view name() const { return name_; }
  absl::string_view value() const { return value_; }
  bool is_attribute() const { return is_attribute_; }
  // Of a leaf the pointer as RFC 6901 has it; of an attribute its name(). Good until the next
  // Next() or pointer().
  absl::string_view pointer();

 private:
  struct Level {
    bool array = false;
    uint32_t next = 0;     // index of the next element
    size_t name_size = 0;  // of the name of the whole
  };

  bool Attribute(const AttributeView& attribute);
  bool Leaf();
  // The first leaf in the value that is next, itself where it is one.
  bool Descend();
  // To the value of the next member or element of the innermost level.
  bool EnterChild();
  bool Found(absl::string_view value);
  bool Fail();

  SortedAttributes attributes_;
  size_t next_attribute_ = 0;
  JsonScanner in_;
  bool in_data_ = false;
  std::vector<Level> levels_;
  std::string name_;
  std::string pointer_;
  std::string encoded_;  // the value of an attribute
  absl::string_view value_;
  bool is_attribute_ = false;
  bool ok_ = false;
  bool too_large_ = false;
  size_t fields_ = 0;
  size_t name_bytes_ = 0;
};

using FieldSalt = std::array<uint8_t, kSaltBytes>;
inline absl::string_view AsBytes(const FieldSalt& salt) {
  return {reinterpret_cast<const char*>(salt.data()), salt.size()};
}

// The digests that a commitment to fields is made of.
//
//   hasher.Begin();
//   for (...) hasher.Add(hasher.Field(AsBytes(hasher.SaltOf(salt, i)), name, value));
//   hasher.Commitment();
class FieldHasher {
 public:
  FieldHasher();

  // Of the i-th field; `salt` is that of the event, kSaltBytes.
  FieldSalt SaltOf(absl::string_view salt, uint32_t index);
  // `field_salt` has kSaltBytes.
  crypto::Sha256Digest Field(absl::string_view field_salt, absl::string_view name,
                             absl::string_view value);

  void Begin();
  void Add(const crypto::Sha256Digest& field);
  // Over what was added since Begin().
  crypto::Sha256Digest Commitment();

 private:
  crypto::Sha256Digest Hash(absl::string_view bytes);

  crypto::Sha256Hasher hasher_;
  std::string salt_input_;   // begins with its label
  std::string field_input_;  // likewise
  std::string root_input_;   // label, number of fields, their digests
};

// Commits to whole events.
class FieldCommitter {
 public:
  // None where the data is no such JSON or has too many fields: commit to the content then.
  // `salt` has kSaltBytes. About 8 microseconds for an event of 1 KiB.
  std::optional<crypto::Sha256Digest> Commit(absl::string_view salt, const CloudEventView& event);

  // Of the attributes alone, `id` included. About a microsecond.
  crypto::Sha256Digest AttributesDigest(const CloudEventView& event);
  // Appends what that is the digest of.
  void AppendAttributes(const CloudEventView& event, std::string* out);

 private:
  FieldReader reader_;
  SortedAttributes attributes_;
  FieldHasher fields_;
  crypto::Sha256Hasher hasher_;
  std::string input_;
};

// Appends a number of 32 or 64 bits, big-endian, as everything that is hashed has them.
inline void PutBigEndian32(uint32_t value, char* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(value >> (24 - 8 * i));
}
inline void AppendBigEndian32(uint32_t value, std::string* out) {
  char bytes[sizeof value];
  PutBigEndian32(value, bytes);
  out->append(bytes, sizeof bytes);
}
inline void AppendBigEndian64(uint64_t value, std::string* out) {
  AppendBigEndian32(static_cast<uint32_t>(value >> 32), out);
  AppendBigEndian32(static_cast<uint32_t>(value), out);
}
// Appends the length of `bytes` in 32 bits, then `bytes`.
inline void AppendWithLength(absl::string_view bytes, std::string* out) {
  AppendBigEndian32(static_cast<uint32_t>(bytes.size()), out);
  out->append(bytes.data(), bytes.size());
}

}  // namespace cdgate::event
