#include "auth/crypto/sha256_batch.h"

#include <cstdio>
#include <cstdlib>

#ifdef CDGATE_HAVE_IPSEC_MB
#define NO_COMPAT_IMB_API_053  // the old names are macros that OpenSSL's functions have too
#include <intel-ipsec-mb.h>
#endif

namespace cdgate::crypto {

Sha256Batch::~Sha256Batch() = default;

Sha256Batch& Sha256Batch::OfThread() {
  thread_local Sha256Batch batch;
  return batch;
}

Sha256Digest Sha256Batch::HashAlone(absl::string_view text) {
  alone_.Reset();
  alone_.Update(text);
  return alone_.FinalTo();
}

#ifdef CDGATE_HAVE_IPSEC_MB

namespace {

// The library takes no text of 64 KiB.
constexpr size_t kMostBytes = 32 << 10;
// A few take it as long as kLanes do: six as long as one after the other.
constexpr size_t kFewest = 6;

// Of `texts` those that are worth it: all but a last few.
size_t SideBySide(size_t texts) {
  const size_t rest = texts % Sha256Batch::kLanes;
  return rest < kFewest ? texts - rest : texts;
}

void Require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "cdgate: the library for many digests failed in %s\n", what);
  std::abort();
}

// Counts those that are done: `job`, and what the library has ready behind it.
size_t Settle(IMB_MGR* lanes, const IMB_JOB* job) {
  size_t done = 0;
  for (; job != nullptr; job = IMB_GET_COMPLETED_JOB(lanes)) {
    Require(job->status == IMB_STATUS_COMPLETED, "SHA-256");
    ++done;
  }
  return done;
}

}  // namespace

void Sha256Batch::Free::operator()(IMB_MGR* lanes) const { free_mb_mgr(lanes); }

Sha256Batch::Sha256Batch(bool side_by_side) : lanes_(side_by_side ? alloc_mb_mgr(0) : nullptr) {
  if (lanes_ == nullptr) return;
  init_mb_mgr_auto(lanes_.get(), nullptr);
  if (imb_get_errno(lanes_.get()) != 0) lanes_.reset();  // a processor without what it needs
}

void Sha256Batch::Hash(absl::Span<const absl::string_view> texts,
                       absl::Span<Sha256Digest> digests) {
  IMB_MGR* const lanes = lanes_.get();
  const size_t side_by_side = lanes == nullptr ? 0 : SideBySide(texts.size());
  size_t done = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i >= side_by_side || texts[i].size() > kMostBytes) {
      digests[i] = HashAlone(texts[i]);
      ++done;
      continue;
    }
    IMB_JOB* const job = IMB_GET_NEXT_JOB(lanes);
    job->cipher_mode = IMB_CIPHER_NULL;
    job->cipher_direction = IMB_DIR_ENCRYPT;
    job->chain_order = IMB_ORDER_HASH_CIPHER;
    job->hash_alg = IMB_AUTH_SHA_256;
    // The library asks for some address even of a text without bytes.
    const char* const text = texts[i].empty() ? "" : texts[i].data();
    job->src = reinterpret_cast<const uint8_t*>(text);
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_hash_in_bytes = texts[i].size();
    job->auth_tag_output = digests[i].data();
    job->auth_tag_output_len_in_bytes = kSha256Bytes;
    const IMB_JOB* const settled = IMB_SUBMIT_JOB(lanes);
    Require(imb_get_errno(lanes) == 0, "IMB_SUBMIT_JOB");
    done += Settle(lanes, settled);
  }
  while (done < texts.size()) {
    const IMB_JOB* const settled = IMB_FLUSH_JOB(lanes);
    Require(settled != nullptr, "IMB_FLUSH_JOB");
    done += Settle(lanes, settled);
  }
}

#else

void Sha256Batch::Free::operator()(IMB_MGR* /*lanes*/) const {}

Sha256Batch::Sha256Batch(bool /*side_by_side*/) {}

void Sha256Batch::Hash(absl::Span<const absl::string_view> texts,
                       absl::Span<Sha256Digest> digests) {
  for (size_t i = 0; i < texts.size(); ++i) digests[i] = HashAlone(texts[i]);
}

#endif

}  // namespace cdgate::crypto
