// Reads a serialised federation.v1.RelayedEvent in place.
//
//   RelayedView view;
//   if (!view.Assign(bytes)) return Malformed();
//   Use(view.cloud_event(), view.origin());
//
// Views point into the bytes, which outlive it. Only the form of the message is judged:
// that its texts are UTF-8 and its parts what they should be is for whoever admits it.
// A value; a const one may be read by several threads.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"

namespace cdgate::event {

class RelayedView {
 public:
  using Path = absl::InlinedVector<absl::string_view, 4>;

  // False where `bytes` are not the wire form of the message: *this is then empty. Of a
  // field that is there twice the last counts.
  bool Assign(absl::string_view bytes);

  absl::string_view cloud_event() const { return cloud_event_; }
  absl::string_view origin() const { return origin_; }
  int64_t accepted_time_nanos() const { return accepted_time_nanos_; }
  absl::string_view salt() const { return salt_; }
  absl::string_view commitment() const { return commitment_; }
  absl::string_view plane() const { return plane_; }
  absl::string_view classification() const { return classification_; }
  uint32_t hops() const { return hops_; }
  const Path& path() const { return path_; }
  bool has_terms() const { return has_terms_; }
  absl::string_view terms() const { return terms_; }  // a serialised storage.v1.Terms
  const std::vector<absl::string_view>& statements() const { return statements_; }
  // Of its export section, RFC 6901 pointers.
  const std::vector<absl::string_view>& withheld() const { return withheld_; }
  const std::vector<absl::string_view>& substituted() const { return substituted_; }
  uint32_t notes() const { return notes_; }
  absl::string_view field_proof() const { return field_proof_; }  // a serialised FieldProof

 private:
  void Clear();
  bool Scan(absl::string_view bytes);
  bool ScanExport(absl::string_view bytes);
  bool TakeBytes(uint32_t field, absl::string_view value);

  absl::string_view cloud_event_;
  absl::string_view origin_;
  int64_t accepted_time_nanos_ = 0;
  absl::string_view salt_;
  absl::string_view commitment_;
  absl::string_view plane_;
  absl::string_view classification_;
  uint32_t hops_ = 0;
  uint32_t notes_ = 0;
  Path path_;
  bool has_terms_ = false;
  absl::string_view terms_;
  std::vector<absl::string_view> statements_;
  std::vector<absl::string_view> withheld_;
  std::vector<absl::string_view> substituted_;
  absl::string_view field_proof_;
};

}  // namespace cdgate::event
