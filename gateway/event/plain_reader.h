// Reads a CloudEvent in its plain form, field after field, without going back: what
// serialisers write, and therefore nearly all there is. Inside gateway/event only.
//
//   PlainReader reader(bytes);
//   if (!reader.ReadHead()) ...                       // not plain: use CloudEventView
//   AttributeView attribute;
//   while (reader.NextAttribute(&attribute)) Use(attribute);
//   if (!reader.ReadData(&data)) ...                  // not plain
//
// Plain is: id, source, spec_version "1.0" and type, each once and not empty, then the
// attributes, each a name with one value, then binary_data, and nothing else; every
// number in the form in which serialisers write it. An event that is not plain may be
// valid; for one that is, CloudEventView reads the same (a test and a fuzzer hold them
// against each other), and where its attributes are sorted by name it is canonical.
// Texts are not judged, nor names that are there twice. Views point into the bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "gateway/event/cloud_event_view.h"

namespace cdgate::event {

// The byte before a field's value.
constexpr char WireTag(int field, int wire_type) {
  return static_cast<char>(field << 3 | wire_type);
}

class PlainReader {
 public:
  explicit PlainReader(absl::string_view bytes) : in_(bytes) {}

  bool ReadHead() {
    absl::string_view version;
    return ReadText(kIdTag, &id_) && ReadText(kSourceTag, &source_) &&
           ReadText(kVersionTag, &version) && version == "1.0" && ReadText(kTypeTag, &type_);
  }
  absl::string_view id() const { return id_; }
  absl::string_view source() const { return source_; }
  absl::string_view type() const { return type_; }

  // False behind the last, and at one that is not plain: ReadData is false then.
  bool NextAttribute(AttributeView* out) {
    if (in_.at == in_.end || *in_.at != kEntryTag) return false;
    absl::string_view entry;
    if (in_.Take(kEntryTag, &entry) && ReadEntry(Input(entry), out)) return true;
    in_.at = in_.end;
    return false;
  }

  bool ReadData(absl::string_view* data) { return in_.Take(kDataTag, data) && in_.at == in_.end; }

  // Offset of what is read next.
  const char* position() const { return in_.at; }

 private:
  static constexpr char kIdTag = WireTag(1, 2);
  static constexpr char kSourceTag = WireTag(2, 2);
  static constexpr char kVersionTag = WireTag(3, 2);
  static constexpr char kTypeTag = WireTag(4, 2);
  static constexpr char kEntryTag = WireTag(5, 2);
  static constexpr char kDataTag = WireTag(6, 2);

  struct Input {
    explicit Input(absl::string_view bytes) : at(bytes.data()), end(at + bytes.size()) {}
    bool done() const { return at == end; }
    bool Sees(char tag) const { return at != end && *at == tag; }

    // A field of bytes.
    bool Take(char tag, absl::string_view* out) {
      if (end - at < 2 || *at != tag) return false;
      uint64_t size = static_cast<uint8_t>(at[1]);
      if (size < 0x80) {
        at += 2;
      } else {
        ++at;
        if (!TakeVarint(&size)) return false;
      }
      if (size > static_cast<uint64_t>(end - at)) return false;
      *out = absl::string_view(at, size);
      at += size;
      return true;
    }

    // In its shortest form.
    bool TakeVarint(uint64_t* out) {
      uint64_t value = 0;
      for (int shift = 0; shift < 64 && at != end; shift += 7) {
        const auto byte = static_cast<uint8_t>(*at++);
        value |= static_cast<uint64_t>(byte & 0x7f) << shift;
        if (byte >= 0x80) continue;
        *out = value;
        return (byte != 0 || shift == 0) && (shift < 63 || byte == 1);
      }
      return false;
    }

    // An int32, sign-extended as the format has it.
    bool TakeInt32(int32_t* out) {
      uint64_t value;
      if (!TakeVarint(&value)) return false;
      *out = static_cast<int32_t>(value);
      return static_cast<uint64_t>(static_cast<int64_t>(*out)) == value;
    }

    const char* at;
    const char* end;
  };

  bool ReadText(char tag, absl::string_view* out) { return in_.Take(tag, out) && !out->empty(); }

  static bool ReadEntry(Input entry, AttributeView* out) {
    Clear(out);
    absl::string_view value;
    return entry.Take(WireTag(1, 2), &out->name) && entry.Take(WireTag(2, 2), &value) &&
           entry.done() && !value.empty() && ReadValue(Input(value), out);
  }

  // Member by member: as a whole it would be made elsewhere first and copied.
  static void Clear(AttributeView* out) {
    out->text = {};
    out->boolean = false;
    out->integer = 0;
    out->seconds = 0;
    out->nanos = 0;
  }

  static bool ReadValue(Input value, AttributeView* out) {
    const char tag = *value.at;
    out->kind = static_cast<AttributeKind>(tag >> 3);
    switch (tag) {
      case WireTag(3, 2):
      case WireTag(4, 2):
      case WireTag(5, 2):
      case WireTag(6, 2): return value.Take(tag, &out->text) && value.done();
      case WireTag(7, 2): {
        absl::string_view timestamp;
        return value.Take(tag, &timestamp) && value.done() && ReadTime(Input(timestamp), out);
      }
      default: return ReadNumber(value, tag, out);
    }
  }

  // Neither part is written where it is 0.
  static bool ReadTime(Input time, AttributeView* out) {
    uint64_t seconds = 0;
    if (time.Sees(WireTag(1, 0)) && (!(++time.at, time.TakeVarint(&seconds)) || seconds == 0)) {
      return false;
    }
    out->seconds = static_cast<int64_t>(seconds);
    if (time.Sees(WireTag(2, 0)) &&
        (!(++time.at, time.TakeInt32(&out->nanos)) || out->nanos == 0)) {
      return false;
    }
    return time.done();
  }

  static bool ReadNumber(Input value, char tag, AttributeView* out) {
    ++value.at;
    if (tag == WireTag(2, 0)) return value.TakeInt32(&out->integer) && value.done();
    uint64_t boolean;
    if (tag != WireTag(1, 0) || !value.TakeVarint(&boolean) || boolean > 1) return false;
    out->boolean = boolean == 1;
    return value.done();
  }

  Input in_;
  absl::string_view id_;
  absl::string_view source_;
  absl::string_view type_;
};

}  // namespace cdgate::event
