#include "gateway/eventlog/rocksdb/commit_key.h"

namespace cdgate::eventlog {
namespace {

void AppendBigEndian(uint64_t value, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

std::string CommitKey::Encode() const {
  std::string out;
  out.reserve(kCommitKeyBytes);
  AppendBigEndian(first_sequence.value(), &out);
  AppendBigEndian(number, &out);
  return out;
}

std::optional<CommitKey> CommitKey::Decode(absl::string_view bytes) {
  if (bytes.size() != kCommitKeyBytes) return std::nullopt;
  return CommitKey{.first_sequence = base::Sequence(ReadBigEndian(bytes)),
                   .number = ReadBigEndian(bytes.substr(8))};
}

}  // namespace cdgate::eventlog
