// Appends protobuf fields to a string: the counterpart of WireReader, for messages that
// splice bytes which are rendered already.
//
//   const size_t size = BytesFieldSize(1, id.size()) + VarintFieldSize(2, n);
//   out.reserve(out.size() + size);
//   AppendBytesField(1, id, &out);
//   AppendVarintField(2, n, &out);
//
// Fields are written as asked, also where their value is the default; leaving defaults
// out is the caller's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/numeric/bits.h"
#include "absl/strings/string_view.h"

namespace cdgate::event {

constexpr size_t VarintSize(uint64_t value) {
  return static_cast<size_t>((absl::bit_width(value | 1) + 6) / 7);
}

inline void AppendVarint(uint64_t value, std::string* out) {
  if (value < 0x80) {
    out->push_back(static_cast<char>(value));
    return;
  }
  char buffer[10];
  size_t n = 0;
  while (value >= 0x80) {
    buffer[n++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  buffer[n++] = static_cast<char>(value);
  out->append(buffer, n);
}

constexpr size_t VarintFieldSize(uint32_t field, uint64_t value) {
  return VarintSize(field << 3) + VarintSize(value);
}

inline void AppendVarintField(uint32_t field, uint64_t value, std::string* out) {
  AppendVarint(field << 3, out);
  AppendVarint(value, out);
}

// Tag and length of a field of `size` bytes.
constexpr size_t BytesHeaderSize(uint32_t field, size_t size) {
  return VarintSize(field << 3) + VarintSize(size);
}

inline void AppendBytesHeader(uint32_t field, size_t size, std::string* out) {
  AppendVarint(field << 3 | 2, out);
  AppendVarint(size, out);
}

constexpr size_t BytesFieldSize(uint32_t field, size_t size) {
  return BytesHeaderSize(field, size) + size;
}

inline void AppendBytesField(uint32_t field, absl::string_view value, std::string* out) {
  AppendBytesHeader(field, value.size(), out);
  out->append(value.data(), value.size());
}

inline constexpr size_t kFixed64FieldSize = 9;  // of fields 1 to 15

inline void AppendFixed64Field(uint32_t field, uint64_t value, std::string* out) {
  AppendVarint(field << 3 | 1, out);
  char bytes[8];
  for (char& byte : bytes) {
    byte = static_cast<char>(value);
    value >>= 8;
  }
  out->append(bytes, sizeof bytes);
}

// Negative values of int32 and int64 fields as the wire has them.
constexpr uint64_t SignExtend(int64_t value) { return static_cast<uint64_t>(value); }

}  // namespace cdgate::event
