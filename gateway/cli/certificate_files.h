// What the verbs about certificates and the CA share.
#pragma once

#include <string>

#include "auth/ca/folder.h"
#include "gateway/cli/invocation.h"

namespace CLI {
class App;
}

namespace cdgate::cli {

class Verbs;

// Says what was written into crl.pem.
void NoteLists(const std::string& directory, const ca::Lists& lists, const Invocation& run);

// "cert show", in a group of verbs.
void AddShowVerb(Verbs& verbs, CLI::App* group);

}  // namespace cdgate::cli
