// The files of an audit log, written: one thread's own. AuditLog (audit_log.h) is what the
// rest of the gateway uses.
//
// A start reads the last file, cuts off a line that a kill left unfinished, and goes on where
// the chain ended. A file that is damaged stays as it is: the chain goes on in a new one,
// after an entry that says so.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "auth/audit/checkpoint.h"
#include "auth/audit/line.h"
#include "gateway/base/clock.h"
#include "gateway/base/fd.h"

namespace cdgate::audit {

// What the system is asked to do; tests put faults here.
struct FileCalls {
  std::function<ssize_t(int fd, const void* bytes, size_t size)> write;
  std::function<int(int fd)> sync;  // fdatasync
  static FileCalls OfSystem();
};

struct JournalOptions {
  std::string folder;  // made with mode 0700; files have 0600
  std::string domain = {};
  std::string instance = {};
  uint64_t file_bytes = 16 << 20;  // a file that has so much is followed by another
  absl::Duration retention = absl::Hours(24 * 400);
  uint64_t state_commit = 0;  // for the first checkpoint of a log that begins
  FileCalls calls = FileCalls::OfSystem();
};

// Where the log stands.
struct Head {
  uint64_t number = 0;    // of the last entry; 0: none
  std::string hash = {};  // its
  uint64_t checkpoint = 0;
  absl::Time checkpoint_time = absl::InfinitePast();  // infinite past: none by this process
};

class Journal {
 public:
  // Told of each entry of the last file while it is read at the start.
  using Seen = std::function<void(const Line& line, absl::string_view text)>;

  // FILE_UNREADABLE, FILE_UNWRITABLE, DISK_FULL; LOG_LOCKED where another process writes it.
  // `clock` outlives the journal.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(JournalOptions options,
                                                       const base::Clock& clock,
                                                       SignerSource signer, const Seen& seen);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Writes an entry for each record; a checkpoint with them where one is due by their number,
  // and a new file where this one is full. On an error nothing more may be written by this
  // object: open another one.
  absl::Status Append(absl::Span<const Record> records);
  absl::Status AppendCheckpoint(absl::string_view reason);
  // On disk when this returns.
  absl::Status Sync();
  // Removes files whose last entry is older than the retention, each after an entry on disk
  // that says so.
  absl::Status RemoveOld();

  // For checkpoints from now on.
  void set_state_commit(uint64_t commit) { state_commit_ = commit; }

  const Head& head() const { return head_; }
  // Entries since the last checkpoint.
  uint64_t unsigned_entries() const { return head_.number - head_.checkpoint; }
  // What is wrong with the files of before; OK where nothing is.
  const absl::Status& damage() const { return damage_; }
  // Of the last checkpoint: OK, or why it is not signed.
  const absl::Status& signing() const { return signing_; }

 private:
  struct Tail;

  Journal(JournalOptions options, const base::Clock& clock, SignerSource signer);
  absl::Status Lock();
  absl::Status Continue(const Seen& seen);
  absl::Status ReadTail(const std::string& name, const Seen& seen, Tail* tail) const;
  absl::Status CutTorn(const Tail& tail, const std::string& path);
  absl::Status BeginFile();
  absl::Status RemoveFile(const std::string& name, uint64_t first, uint64_t last);
  void Add(std::string line, std::string* out);
  void AddCheckpoint(absl::string_view reason, std::string* out);
  absl::Status Write(absl::string_view bytes);

  const JournalOptions options_;
  const base::Clock& clock_;
  const SignerSource signer_;
  std::unique_ptr<base::Fd> folder_;
  std::unique_ptr<base::Fd> file_;
  std::string path_;
  uint64_t size_ = 0;
  Head head_;
  uint64_t state_commit_ = 0;
  absl::Status damage_;
  absl::Status signing_;
};

}  // namespace cdgate::audit
