// Appends protobuf fields to a string: the counterpart of WireReader, for messages that
// splice bytes which are rendered already.
//
//   const size_t size = BytesFieldSize(1, id.size()) + VarintFieldSize(2, n);
//   out.reserve(out.size() + size);
//   AppendBytesField(1, id, &out);
//   AppendVarintField(2, n, &out);
//
// The Put functions write to memory that has room, and return where they ended:
//
//   char* at = out->data() + before;
//   at = PutBytesField(1, id, at);
//
// Fields are written as asked, also where their value is the default; leaving defaults
// out is the caller's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/numeric/bits.h"
#include "absl/strings/string_view.h"

namespace cdgate::event {

constexpr size_t VarintSize(uint64_t value) {
  return static_cast<size_t>((absl::bit_width(value | 1) + 6) / 7);
}

// Byte by byte into the string: bytes that are put together elsewhere and then read as one
// word have to wait for all that was written before them, a copied event too.
inline void AppendVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
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

inline char* PutVarint(uint64_t value, char* at) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

inline char* PutVarintField(uint32_t field, uint64_t value, char* at) {
  return PutVarint(value, PutVarint(field << 3, at));
}

inline char* PutBytesHeader(uint32_t field, size_t size, char* at) {
  return PutVarint(size, PutVarint(field << 3 | 2, at));
}

inline char* PutBytes(absl::string_view bytes, char* at) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

inline char* PutBytesField(uint32_t field, absl::string_view value, char* at) {
  return PutBytes(value, PutBytesHeader(field, value.size(), at));
}

inline char* PutFixed64Field(uint32_t field, uint64_t value, char* at) {
  at = PutVarint(field << 3 | 1, at);
  for (int i = 0; i < 8; ++i, value >>= 8) *at++ = static_cast<char>(value);
  return at;
}

// Negative values of int32 and int64 fields as the wire has them.
constexpr uint64_t SignExtend(int64_t value) { return static_cast<uint64_t>(value); }

}  // namespace cdgate::event
