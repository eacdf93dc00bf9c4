#include "federation/attestation/merkle.h"

#include <algorithm>
#include <cstring>

#include "absl/numeric/bits.h"
#include "gateway/event/digests.h"
#include "gateway/event/event_fields.h"

namespace cdgate::attestation {
namespace {

using event::AsBytes;

// The zero bytes at both ends are part of them.
constexpr char kPadLabel[] = "\0cdgate/pad/v1";
constexpr char kNodePrefix = 1;

Digest NodeOf(absl::string_view left, absl::string_view right, crypto::Sha256Hasher& hasher) {
  char input[1 + 2 * crypto::kSha256Bytes];
  input[0] = kNodePrefix;
  std::memcpy(input + 1, left.data(), crypto::kSha256Bytes);
  std::memcpy(input + 1 + crypto::kSha256Bytes, right.data(), crypto::kSha256Bytes);
  return hasher.Hash({input, sizeof input});
}

// The first eight as a number that compares as they do.
uint64_t FirstBytes(const Digest& digest) {
  uint64_t number = 0;
  for (size_t i = 0; i < sizeof number; ++i) number = number << 8 | digest[i];
  return number;
}

}  // namespace

void MerkleTree::Build(absl::Span<const Digest> leaves, absl::string_view seed) {
  leaf_count_ = leaves.size();
  const size_t width = absl::bit_ceil(leaves.size());
  leaves_.assign(leaves.begin(), leaves.end());
  AddPads(seed, width);
  nodes_.resize(2 * width);
  Place();
  for (size_t i = width - 1; i >= 1; --i) {
    nodes_[i] = NodeOf(AsBytes(nodes_[2 * i]), AsBytes(nodes_[2 * i + 1]), hasher_);
  }
}

void MerkleTree::AddPads(absl::string_view seed, size_t width) {
  std::string input(kPadLabel, sizeof kPadLabel);
  input.append(seed.data(), seed.size());
  const size_t head = input.size();
  for (uint32_t j = 0; leaves_.size() < width; ++j) {
    input.resize(head);
    event::AppendBigEndian32(j, &input);
    leaves_.push_back(hasher_.Hash(input));
  }
}

// Leaves by their bytes, and where each of them came to be.
void MerkleTree::Place() {
  const size_t width = leaves_.size();
  sorted_.resize(width);
  places_.resize(width);
  for (size_t i = 0; i < width; ++i) {
    sorted_[i] = {FirstBytes(leaves_[i]), static_cast<uint32_t>(i)};
  }
  // Digests hardly ever begin alike, so that the first bytes decide.
  std::sort(sorted_.begin(), sorted_.end(), [this](const Ranked& a, const Ranked& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    const int order =
        std::memcmp(leaves_[a.leaf].data(), leaves_[b.leaf].data(), crypto::kSha256Bytes);
    return order != 0 ? order < 0 : a.leaf < b.leaf;
  });
  for (size_t place = 0; place < width; ++place) {
    places_[sorted_[place].leaf] = static_cast<uint32_t>(place);
    nodes_[width + place] = leaves_[sorted_[place].leaf];
  }
}

Inclusion MerkleTree::Prove(size_t i) const {
  Inclusion inclusion;
  inclusion.index = places_[i];
  for (size_t node = leaves_.size() + inclusion.index; node > 1; node /= 2) {
    const absl::string_view sibling = AsBytes(nodes_[node ^ 1]);
    inclusion.path.append(sibling.data(), sibling.size());
  }
  return inclusion;
}

std::optional<Digest> RootOf(const Digest& leaf, uint32_t index, absl::string_view path,
                             crypto::Sha256Hasher& hasher) {
  const size_t depth = path.size() / crypto::kSha256Bytes;
  if (path.size() % crypto::kSha256Bytes != 0 || depth > kMaxPathDigests) return std::nullopt;
  if (index >> depth != 0) return std::nullopt;
  Digest node = leaf;
  for (size_t k = 0; k < depth; ++k) {
    const absl::string_view sibling = path.substr(k * crypto::kSha256Bytes, crypto::kSha256Bytes);
    const bool on_the_right = (index >> k & 1) == 0;
    node = on_the_right ? NodeOf(AsBytes(node), sibling, hasher)
                        : NodeOf(sibling, AsBytes(node), hasher);
  }
  return node;
}

std::vector<Digest> ReadLeaves(absl::string_view bytes) {
  std::vector<Digest> leaves;
  const size_t count = bytes.size() / crypto::kSha256Bytes;
  if (bytes.size() % crypto::kSha256Bytes != 0 || count > kMaxLeaves) return leaves;
  leaves.resize(count);
  if (count > 0) std::memcpy(leaves.data(), bytes.data(), bytes.size());
  return leaves;
}

std::optional<Digest> ReadDigest(absl::string_view bytes) {
  if (bytes.size() != crypto::kSha256Bytes) return std::nullopt;
  Digest digest;
  std::memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

}  // namespace cdgate::attestation
