// What a valid event says that its readers may stumble over: package URLs and domain ids
// that the specification's prose asks for and no schema looks into (lints.h).
//
//   for (const Remark& remark : RemarksOn(root)) Tell(remark.path, remark.text);
#pragma once

#include <simdjson.h>

#include <string>
#include <vector>

namespace cdgate::event {

struct Remark {
  std::string path;  // JSON pointer
  std::string text;  // for people
};

// Looked at are the subject's id of artifacts, `artifactId` in any content, and `domainId` in
// the nodes of links. `root` is a CDEvent. Pure.
std::vector<Remark> RemarksOn(const simdjson::dom::element& root);

}  // namespace cdgate::event
