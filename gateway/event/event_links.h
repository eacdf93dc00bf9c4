// What a CDEvent says of others: the chain that it is of, and its links.
//
//   LinkReader reader;                                         // one per worker, reused
//   if (reader.ChainOf(record.data()) == chain) Use(reader.Read(record.data()));
//
// Spelled as CDEvents 0.4.1 and later have it, and as 0.4.0 does (chain_id, link_type). What is
// not of the form that the specification gives it is passed over: only what was admitted comes
// here, and unknown types are admitted unread. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gateway/event/json_parser.h"

namespace cdgate::event {

// Of an event with more links the first are read.
inline constexpr size_t kMaxLinks = 64;

// One link, from the event to another.
struct EventLink {
  std::string type;             // "PATH", "END", "RELATION", "START"; as it stands
  std::string kind = {};        // of a relation: free text
  std::string context_id = {};  // the id of the other event; empty: none
  std::string domain_id = {};   // what it names besides an event; empty: nothing
  std::string pointer = {};     // RFC 6901, of context_id in the data; empty where that is
};

struct EventLinks {
  std::string chain_id;
  std::vector<EventLink> links;
  size_t more = 0;  // beyond kMaxLinks
};

class LinkReader {
 public:
  // `data` is a CDEvent's JSON as it was admitted. A view, good until the next call.
  absl::string_view ChainOf(absl::string_view data);
  EventLinks Read(absl::string_view data);

 private:
  JsonParser parser_;
};

}  // namespace cdgate::event
