// An event of our log as it is shown outside of a link: in event files, and to who sent it here.
#pragma once

#include "cdgate/federation/v1/link.pb.h"
#include "gateway/event/stored_event.h"

namespace cdgate::api {

// As it came, without statements; our own as it is here.
federation::v1::RelayedEvent ShownEvent(const event::StoredView& stored);

}  // namespace cdgate::api
