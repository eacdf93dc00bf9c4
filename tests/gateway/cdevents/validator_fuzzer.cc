// Of whatever is JSON the verdict and the list of faults agree, and the list has an end.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gateway/base/errors.h"
#include "gateway/cdevents/faults.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/json_parser.h"

namespace {

using cdgate::cdevents::Envelope;
using cdgate::cdevents::Family;
using cdgate::cdevents::Faults;
using cdgate::cdevents::Verdict;

void Check(bool condition) {
  if (!condition) abort();
}

void CheckList(const Faults& faults) {
  Check(faults.list.size() <= cdgate::cdevents::kMaxFaults);
  Check(faults.more == 0 || faults.list.size() == cdgate::cdevents::kMaxFaults);
  for (const auto& fault : faults.list) {
    Check(!fault.rule.empty() && (fault.path.empty() || fault.path[0] == '/'));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static cdgate::event::JsonParser parser;  // reused, as a worker does
  if (!parser.ParseIJson({reinterpret_cast<const char*>(data), size}).ok()) return 0;
  Envelope envelope;
  const Verdict verdict = cdgate::cdevents::Judge(parser.document(), &envelope);
  const Faults faults = cdgate::cdevents::FindFaults(parser.document());
  CheckList(faults);
  Check((verdict == Verdict::kValid) == faults.list.empty());
  Check(verdict != Verdict::kValid || envelope.form != nullptr);
  if (!faults.list.empty()) {
    const absl::Status error = cdgate::cdevents::FaultsError(faults, "event");
    Check(cdgate::base::ReasonOf(error) == cdgate::base::Reason::kInvalidEvent);
    Check(cdgate::cdevents::FaultsOf(error).size() <= faults.list.size());
  }
  for (const Family family : {Family::k041, Family::k05, Family::k06}) {
    CheckList(cdgate::cdevents::FindLinkFaults(parser.document(), family));
  }
  return 0;
}
