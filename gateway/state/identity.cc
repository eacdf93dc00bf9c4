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

// SipHash-2-4 over pieces, as if they were one text.
class Sip {
 public:
  explicit Sip(absl::string_view key)
      : v_{ReadWord(key.data()) ^ 0x736f6d6570736575, ReadWord(key.data() + 8) ^ 0x646f72616e646f6d,
           ReadWord(key.data()) ^ 0x6c7967656e657261,
           ReadWord(key.data() + 8) ^ 0x7465646279746573} {}

  void Add(absl::string_view data) {
    total_ += data.size();
    while (!data.empty()) {
      const size_t n = std::min(data.size(), sizeof(pending_) - filled_);
      std::memcpy(pending_ + filled_, data.data(), n);
      data.remove_prefix(n);
      filled_ += n;
      if (filled_ < sizeof pending_) return;
      Word(ReadWord(pending_));
      filled_ = 0;
    }
  }

  uint64_t Finish() {
    std::memset(pending_ + filled_, 0, sizeof pending_ - filled_);
    Word(ReadWord(pending_) | static_cast<uint64_t>(total_) << 56);
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
  char pending_[8] = {};
  size_t filled_ = 0;
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
