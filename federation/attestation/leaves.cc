#include "federation/attestation/leaves.h"

#include <algorithm>

#include "gateway/event/digests.h"

namespace cdgate::attestation {
namespace {

using event::AppendBigEndian32;
using event::AppendBigEndian64;
using event::AppendWithLength;
using event::AsBytes;

// The zero byte behind each is part of it, and so is the one before those of leaves.
constexpr char kSaltLabel[] = "cdgate/leaf-salt/v1";
constexpr char kOriginSaltLabel[] = "cdgate/origin-salt/v1";
constexpr char kOriginLabel[] = "\0cdgate/origin-leaf/v1";
constexpr char kExportLabel[] = "\0cdgate/export-leaf/v1";
constexpr char kChangesLabel[] = "cdgate/changes/v1";

template <size_t n>
void Begin(const char (&label)[n], std::string* out) {
  out->assign(label, n);
}

void Append(absl::string_view bytes, std::string* out) { out->append(bytes.data(), bytes.size()); }

template <typename Texts>
void AppendTexts(const Texts& texts, std::string* out) {
  AppendBigEndian32(static_cast<uint32_t>(texts.size()), out);
  for (const absl::string_view text : texts) AppendWithLength(text, out);
}

// With its length before it, which is known last.
void AppendTerms(const TermsView& terms, std::string* out) {
  const size_t at = out->size();
  AppendBigEndian32(0, out);
  AppendBigEndian32(terms.onward, out);
  AppendWithLength(terms.classification, out);
  AppendTexts(terms.groups, out);
  event::PutBigEndian32(static_cast<uint32_t>(out->size() - at - sizeof(uint32_t)), &(*out)[at]);
}

LeafSalt FirstBytes(const Digest& digest) {
  LeafSalt salt;
  std::copy_n(digest.begin(), salt.size(), salt.begin());
  return salt;
}

}  // namespace

LeafSalt LeafMaker::Salt(absl::string_view seed, uint32_t i) {
  Begin(kSaltLabel, &input_);
  Append(seed, &input_);
  AppendBigEndian32(i, &input_);
  return FirstBytes(Hash(input_));
}

LeafSalt LeafMaker::OriginSalt(absl::string_view event_salt) {
  Begin(kOriginSaltLabel, &input_);
  Append(event_salt, &input_);
  return FirstBytes(Hash(input_));
}

Digest LeafMaker::Origin(const LeafSalt& salt, const EventClaim& claim, bool outer,
                         const Digest& attributes) {
  Begin(kOriginLabel, &input_);
  Append(AsBytes(salt), &input_);
  Append(claim.commitment, &input_);
  AppendBigEndian64(static_cast<uint64_t>(claim.accepted_time_nanos), &input_);
  AppendWithLength(claim.plane, &input_);
  AppendWithLength(claim.classification, &input_);
  input_.push_back(outer ? 1 : 0);
  Append(AsBytes(attributes), &input_);
  return Hash(input_);
}

Digest LeafMaker::Export(const LeafSalt& salt, const EventClaim& claim, const CopyDigests& copy,
                         const TermsView& terms, const Digest& previous) {
  input_.clear();
  AppendExport(salt, claim, copy, terms, previous, &input_);
  return Hash(input_);
}

size_t LeafMaker::AppendExport(const LeafSalt& salt, const EventClaim& claim,
                               const CopyDigests& copy, const TermsView& terms,
                               const Digest& previous, std::string* out) {
  Append({kExportLabel, sizeof kExportLabel}, out);
  Append(AsBytes(salt), out);
  Append(claim.commitment, out);
  const size_t attributes_at = out->size();
  Append(AsBytes(copy.attributes), out);
  Append(AsBytes(copy.content), out);
  Append(AsBytes(previous), out);
  AppendBigEndian64(static_cast<uint64_t>(claim.accepted_time_nanos), out);
  AppendWithLength(claim.origin, out);
  AppendWithLength(claim.plane, out);
  AppendWithLength(claim.classification, out);
  AppendTerms(terms, out);
  Append(AsBytes(copy.changes), out);
  return attributes_at;
}

CopyDigests LeafMaker::DigestsOf(const CopyView& copy, const Digest* content) {
  CopyDigests digests;
  digests.attributes = AttributesOf(copy.event);
  digests.content = content != nullptr ? *content : ContentOf(copy.event);
  digests.changes = ChangesOf(copy);
  return digests;
}

Digest LeafMaker::ChangesOf(const CopyView& copy) {
  // Of nearly all.
  static const Digest kNone = LeafMaker().HashChanges({});
  return copy.altered() ? HashChanges(copy) : kNone;
}

Digest LeafMaker::HashChanges(const CopyView& copy) {
  Begin(kChangesLabel, &input_);
  AppendTexts(copy.withheld, &input_);
  AppendTexts(copy.substituted, &input_);
  return Hash(input_);
}

Digest LeafMaker::Hash(absl::string_view bytes) { return hasher_.Hash(bytes); }

}  // namespace cdgate::attestation
