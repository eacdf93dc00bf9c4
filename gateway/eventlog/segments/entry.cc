#include "gateway/eventlog/segments/entry.h"

#include <xxhash.h>

namespace cdgate::eventlog {
namespace {

constexpr absl::string_view kMagic("cdgate\0s", 8);

void Put(uint64_t value, size_t bytes, std::string* out) {
  for (; bytes > 0; --bytes, value >>= 8) out->push_back(static_cast<char>(value));
}

uint64_t Take(size_t bytes, absl::string_view* from) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>((*from)[i]);
  from->remove_prefix(bytes);
  return value;
}

// Numbers and record, so that a record cannot turn up under another number.
uint64_t ChecksumOf(const EntryHeader& header, absl::string_view record) {
  const uint64_t numbers[] = {header.size, header.key.number, header.key.first_sequence.value()};
  const uint64_t seed = XXH3_64bits(numbers, sizeof numbers);
  return XXH3_64bits_withSeed(record.data(), record.size(), seed);
}

}  // namespace

std::string SegmentHeader::Encode() const {
  std::string out(kMagic);
  Put(format, 4, &out);
  Put(0, 4, &out);
  Put(first.number, 8, &out);
  Put(first.first_sequence.value(), 8, &out);
  Put(previous, 8, &out);
  Put(previous_bytes, 8, &out);
  Put(0, 8, &out);
  Put(XXH3_64bits(out.data(), out.size()), 8, &out);
  return out;
}

std::optional<SegmentHeader> SegmentHeader::Decode(absl::string_view bytes) {
  const uint64_t checksum = XXH3_64bits(bytes.data(), kSegmentHeaderBytes - 8);
  if (bytes.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  bytes.remove_prefix(kMagic.size());
  SegmentHeader header;
  header.format = static_cast<uint32_t>(Take(4, &bytes));
  Take(4, &bytes);
  header.first.number = Take(8, &bytes);
  header.first.first_sequence = base::Sequence(Take(8, &bytes));
  header.previous = Take(8, &bytes);
  header.previous_bytes = Take(8, &bytes);
  Take(8, &bytes);
  if (Take(8, &bytes) != checksum) return std::nullopt;
  return header;
}

EntryHeader EntryHeader::Of(const CommitKey& key, absl::string_view record) {
  EntryHeader header{.size = static_cast<uint32_t>(record.size()), .key = key};
  header.checksum = ChecksumOf(header, record);
  return header;
}

std::string EntryHeader::Encode() const {
  std::string out;
  Put(size, 4, &out);
  Put(0, 4, &out);
  Put(key.number, 8, &out);
  Put(key.first_sequence.value(), 8, &out);
  Put(checksum, 8, &out);
  return out;
}

EntryHeader EntryHeader::Decode(absl::string_view bytes) {
  EntryHeader header;
  header.size = static_cast<uint32_t>(Take(4, &bytes));
  Take(4, &bytes);
  header.key.number = Take(8, &bytes);
  header.key.first_sequence = base::Sequence(Take(8, &bytes));
  header.checksum = Take(8, &bytes);
  return header;
}

bool EntryHeader::Fits(absl::string_view record) const {
  return record.size() == size && ChecksumOf(*this, record) == checksum;
}

}  // namespace cdgate::eventlog
