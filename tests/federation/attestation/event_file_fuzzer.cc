// An "f" and an event file, or a "p" and what a producer put into dssematerial: read and judged
// without harm, and never found proven, since nobody signed.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "auth/trust/trust_registry.h"
#include "federation/attestation/event_file.h"
#include "federation/attestation/file_keys.h"
#include "federation/attestation/judgement.h"
#include "federation/attestation/producer_signature.h"
#include "gateway/base/errors.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace {

using namespace cdgate::attestation;  // the subject
using cdgate::base::Reason;

void Require(bool holds) {
  if (!holds) std::abort();
}

void TryFile(absl::string_view json) {
  const auto file = ReadEventFile(json);
  if (!file.ok()) return Require(cdgate::base::ReasonOf(file.status()) == Reason::kInvalidArgument);
  const auto again = ReadEventFile(WriteEventFile(*file).value());
  Require(again.ok() && again->SerializeAsString() == file->SerializeAsString());
  cdgate::trust::TrustRegistry nobody;
  const auto trusted = nobody.Current();
  FileKeys keys(*trusted, absl::FromUnixSeconds(1'780'000'000));
  for (const std::string& pem : file->attestors()) (void)keys.Add(pem);
  const Judgement judged =
      Judge(*file, keys, [](absl::string_view, absl::string_view) { return true; });
  const auto reason = cdgate::base::ReasonOf(judged.proven);
  Require(reason == Reason::kAttestationInvalid || reason == Reason::kAttestationUnproven);
}

void TryProducer(absl::string_view material) {
  static const auto* const key = new std::vector<cdgate::crypto::PublicKey>{
      cdgate::crypto::PublicKey::Of(
          cdgate::crypto::PrivateKey::Generate(cdgate::crypto::KeyType::kEd25519).value())
          .value()};
  io::cloudevents::v1::CloudEvent event;
  (*event.mutable_attributes())["dssematerial"].set_ce_bytes(std::string(material));
  const std::string bytes = event.SerializeAsString();
  cdgate::event::CloudEventView view;
  Require(view.Assign(bytes));
  Require(!VerifyProducer(view, *key).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const silent = new google::protobuf::LogSilencer;
  (void)silent;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  if (input[0] == 'f') TryFile(input.substr(1));
  if (input[0] == 'p') TryProducer(input.substr(1));
  return 0;
}
