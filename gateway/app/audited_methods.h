// Which calls become entries of the audit log.
#pragma once

#include "absl/strings/string_view.h"
#include "auth/authz/method_table.h"

namespace cdgate::app {

enum class CallUse {
  kNotRecorded,  // publishing, reading events, links, health
  kReading,      // administration that changes nothing: recorded on the local socket alone
  kLookedUp,     // reading that is recorded wherever it is made: the audit log itself
  kAct,          // changes something: answered when its entry is on disk
  kEnrolment,    // another domain redeems an invite
};

// By the service and the verb that a method's name begins with, so that a method that is new
// is an act until somebody says that it only reads.
CallUse UseOf(absl::string_view method);

// Whether a call of this use by this listener is recorded where it was admitted.
bool IsRecorded(CallUse use, authz::Listener listener);

}  // namespace cdgate::app
