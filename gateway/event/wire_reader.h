// Steps over the fields of a serialised protobuf message without parsing it.
//
//   WireReader reader(bytes);
//   while (reader.Next()) {
//     if (reader.field() == 1 && reader.is_bytes()) name = reader.bytes();
//   }
//   if (!reader.ok()) ...   // malformed
//
// Groups, field number 0, tags and varints longer than the format allows, and lengths
// beyond the end are malformed. A value; not thread-safe; views point into the input.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/strings/string_view.h"

namespace cdgate::event {

class WireReader {
 public:
  explicit WireReader(absl::string_view bytes, size_t offset = 0)
      : begin_(bytes.data()), at_(bytes.data() + offset), end_(bytes.data() + bytes.size()) {}

  // Moves to the next field. False at the end and at a malformed field.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool Next() {
    if (at_ == end_ || !ok_) return false;
    field_start_ = at_;
    if (NextShort()) return true;
    uint64_t tag;
    if (!ReadVarint(&tag, 5) || tag > UINT32_MAX || (tag >> 3) == 0) return Fail();
    field_ = static_cast<uint32_t>(tag >> 3);
    wire_type_ = static_cast<uint32_t>(tag & 7);
    return ReadValue();
  }

  bool ok() const { return ok_; }
  uint32_t field() const { return field_; }
  bool is_varint() const { return wire_type_ == 0; }
  bool is_bytes() const { return wire_type_ == 2; }
  bool is_fixed64() const { return wire_type_ == 1; }
  uint64_t fixed64() const {
    uint64_t value = 0;
    for (size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes_[i]);
    return value;
  }
  uint64_t varint() const { return varint_; }
  absl::string_view bytes() const { return bytes_; }
  // Offset of this field's tag, and of what follows the field.
  size_t field_offset() const { return static_cast<size_t>(field_start_ - begin_); }
  size_t offset() const { return static_cast<size_t>(at_ - begin_); }

 private:
  bool Fail() {
    ok_ = false;
    return false;
  }

  // A field of less than 128 bytes with a number below 16, as most are. Else nothing moves.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool NextShort() {
    if (end_ - at_ < 2) return false;
    const auto tag = static_cast<uint8_t>(at_[0]);
    const auto size = static_cast<uint8_t>(at_[1]);
    if ((tag & 0x87) != 2 || tag < 8 || size >= 0x80 || size > end_ - at_ - 2) return false;
    field_ = tag >> 3;
    wire_type_ = 2;
    bytes_ = absl::string_view(at_ + 2, size);
    at_ += 2 + size;
    return true;
  }

  // Nearly all tags and lengths are one byte or two.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool ReadVarint(uint64_t* value, int max_bytes) {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) {
      *value = static_cast<uint8_t>(*at_++);
      return true;
    }
    return ReadLongVarint(value, max_bytes);
  }

  bool ReadLongVarint(uint64_t* value, int max_bytes) {
    uint64_t result = 0;
    for (int i = 0; i < max_bytes; ++i) {
      if (at_ == end_) return false;
      const uint8_t byte = static_cast<uint8_t>(*at_++);
      result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        *value = result;
        return true;
      }
    }
    return false;
  }

  bool Skip(uint64_t n) {
    if (n > static_cast<uint64_t>(end_ - at_)) return Fail();
    bytes_ = absl::string_view(at_, static_cast<size_t>(n));
    at_ += n;
    return true;
  }

  bool ReadValue() {
    uint64_t length;
    switch (wire_type_) {
      case 0: return ReadVarint(&varint_, 10) || Fail();
      case 1: return Skip(8);
      case 2: return (ReadVarint(&length, 5) || Fail()) && Skip(length);
      case 5: return Skip(4);
      default: return Fail();
    }
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* field_start_ = nullptr;
  bool ok_ = true;
  uint32_t field_ = 0;
  uint32_t wire_type_ = 0;
  uint64_t varint_ = 0;
  absl::string_view bytes_;
};

}  // namespace cdgate::event
