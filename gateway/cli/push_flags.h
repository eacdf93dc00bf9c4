// Of subscriptions that are pushed to a webhook: the flags that set it, and how it stands.
//
//   AddPushFlags(verb, &flags->push);
//   if (NamesPush(flags.push)) CDGATE_RETURN_IF_ERROR(ReadPush(flags.push, &push));
//   PrintPush(status, run.out());
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/admin/v1/subscription.pb.h"

namespace cdgate::cli {

// As they were written; empty: not at all.
struct PushFlags {
  std::string url;
  std::string format;
  uint32_t concurrency = 0;
  std::string timeout;
};

// `flags` outlives the verb.
void AddPushFlags(CLI::App* verb, PushFlags* flags);
// Whether any was given.
bool NamesPush(const PushFlags& flags);
// Sets what was given. USAGE errors.
absl::Status ReadPush(const PushFlags& flags, admin::v1::PushDelivery* push);

// Lines for a subscription that has a push.
void PrintPush(const admin::v1::SubscriptionStatus& status, std::ostream& out);
// Its state in one word; empty where it is not pushed.
std::string PushText(const admin::v1::SubscriptionStatus& status);

}  // namespace cdgate::cli
