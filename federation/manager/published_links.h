// What the strand of the links says of them, for whoever asks on other threads.
//
//   published.Set("beta.example", report, session);
//   auto report = published.Report("alpha.example", "beta.example");
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "federation/manager/link_report.h"
#include "federation/session/session.h"
#include "gateway/base/mutex.h"

namespace cdgate::manager {

// Thread-safe.
class PublishedLinks {
 public:
  // `session`: null where none is up.
  void Set(const std::string& peer, LinkReport report, std::shared_ptr<session::Session> session);
  void Erase(const std::string& peer);

  // None where there is no such peer. `domain`: ours.
  std::optional<LinkReport> Report(absl::string_view domain, absl::string_view peer) const;
  // The session with `peer`, where it is up and both sides know of counts; else null.
  std::shared_ptr<session::Session> CountingSession(absl::string_view peer) const;

 private:
  struct Published {
    LinkReport report;
    std::shared_ptr<session::Session> session;
  };
  std::optional<Published> Find(absl::string_view peer) const;

  mutable base::Mutex mu_;
  std::map<std::string, Published, std::less<>> links_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::manager
