#include "gateway/state/identity.h"

#include <array>
#include <bit>
#include <cstring>

namespace cdgate::state {
namespace {

uint64_t ReadWord(const char* bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;  // little endian, as every machine we run on
}
static_assert(std::endian::native == std::endian::little);

// Fewer than 8 bytes, as the lowest of a word.
uint64_t ReadBytes(const char* bytes, size_t size) {
  uint64_t word = 0;
  for (size_t i = size; i > 0; --i) word = word << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return word;
}

// SipHash-2-4 over pieces, as if they were one text.
class Sip {
 public:
  explicit Sip(absl::string_view key)
      : v_{ReadWord(key.data()) ^ 0x736f6d6570736575, ReadWord(key.data() + 8) ^ 0x646f72616e646f6d,
           ReadWord(key.data()) ^ 0x6c7967656e657261,
           ReadWord(key.data() + 8) ^ 0x7465646279746573} {}

  void Add(absl::string_view data) {
    const char* at = data.data();
    size_t left = data.size();
    total_ += left;
    if (filled_ > 0) {
      const size_t n = std::min(left, 8 - filled_);
      pending_ |= ReadBytes(at, n) << 8 * filled_;
      filled_ += n;
      if (filled_ < 8) return;
      Word(pending_);
      at += n;
      left -= n;
    }
    for (; left >= 8; at += 8, left -= 8) Word(ReadWord(at));
    pending_ = ReadBytes(at, left);
    filled_ = left;
  }

  uint64_t Finish() {
    Word(pending_ | static_cast<uint64_t>(total_) << 56);
    v_[2] ^= 0xff;
    for (int i = 0; i < 4; ++i) Round();
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  void Word(uint64_t word) {
    v_[3] ^= word;
    Round();
    Round();
    v_[0] ^= word;
  }

  void Round() {
    v_[0] += v_[1];
    v_[1] = std::rotl(v_[1], 13) ^ v_[0];
    v_[0] = std::rotl(v_[0], 32);
    v_[2] += v_[3];
    v_[3] = std::rotl(v_[3], 16) ^ v_[2];
    v_[0] += v_[3];
    v_[3] = std::rotl(v_[3], 21) ^ v_[0];
    v_[2] += v_[1];
    v_[1] = std::rotl(v_[1], 17) ^ v_[2];
    v_[2] = std::rotl(v_[2], 32);
  }

  std::array<uint64_t, 4> v_;
  uint64_t pending_ = 0;  // the first bytes of a word...
  size_t filled_ = 0;     // ...so many
  size_t total_ = 0;
};

// The length goes before the text, so that ("ab", "c") and ("a", "bc") differ.
void AddPart(absl::string_view part, Sip* sip) {
  const uint64_t size = part.size();
  char bytes[sizeof size];
  std::memcpy(bytes, &size, sizeof size);
  sip->Add({bytes, sizeof bytes});
  sip->Add(part);
}

}  // namespace

uint64_t SipHash24(absl::string_view key, absl::string_view data) {
  Sip sip(key);
  sip.Add(data);
  return sip.Finish();
}

IdentityHasher::IdentityHasher(absl::string_view key)
    : id_key_(key.substr(0, 16)), full_key_(key.substr(16, 16)) {}

uint64_t IdentityHasher::OfId(absl::string_view id) const { return SipHash24(id_key_, id); }

IdentityKey IdentityHasher::Of(absl::string_view origin, absl::string_view source,
                               absl::string_view id) const {
  Sip sip(full_key_);
  AddPart(origin, &sip);
  AddPart(source, &sip);
  AddPart(id, &sip);
  return {.id_hash = OfId(id), .full_hash = sip.Finish()};
}

}  // namespace cdgate::state
