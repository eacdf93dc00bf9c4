// What gRPC itself refuses, before our verifier runs.
#pragma once

#include <memory>

#include "auth/credentials/observer.h"

namespace cdgate::credentials {

// From now on gRPC's own log goes to base::Log, but each TLS handshake it reports as failed
// goes to `observer` as TLS_HANDSHAKE_FAILED instead: an expired certificate by the system's clock,
// a root in no bundle at all, TLS 1.2, no certificate. gRPC does not say which side it was on, so
// `side` is kServer always. Process-wide: call before gRPC starts; a later call replaces the
// observer.
void ObserveTlsFailures(std::shared_ptr<VerificationObserver> observer);

}  // namespace cdgate::credentials
