#include "auth/audit/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/audit/folder.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::audit {
namespace {

absl::Status Unwritable(const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return base::MakeError(
      full ? base::Reason::kDiskFull : base::Reason::kFileUnwritable,
      absl::StrCat("cannot write the audit log ", path, ": ", std::strerror(error)),
      {{"path", path}});
}

// The members of a record; of one that no line could hold, what tells it from others. Whoever
// makes records cuts what he quotes, so this is a net below.
std::string Fitting(const Record& record) {
  constexpr size_t kMostBytes = kMaxLineBytes - 1024;
  const std::string& text = record.members.text();
  if (text.size() <= kMostBytes) return text;
  Members members;
  members.Text("event", "too long for an entry")
      .Number("bytes", text.size())
      .Text("sha256", base::HexEncode(crypto::Sha256(text)));
  return members.text();
}

// The time of the first entry of a file; none where it cannot be read.
absl::StatusOr<absl::Time> FirstTime(const std::string& path) {
  CDGATE_ASSIGN_OR_RETURN(LineReader reader, LineReader::Open(path));
  std::string text;
  CDGATE_RETURN_IF_ERROR(reader.Read(&text).status());
  CDGATE_ASSIGN_OR_RETURN(const Line line, ReadLine(text));
  absl::Time time;
  std::string ignored;
  if (absl::ParseTime(absl::RFC3339_full, std::string(line.time), &time, &ignored)) return time;
  return base::MakeError(base::Reason::kAuditDamaged, absl::StrCat(path, " has no time"));
}

}  // namespace

FileCalls FileCalls::OfSystem() {
  return {.write = [](int fd, const void* bytes, size_t size) { return ::write(fd, bytes, size); },
          .sync = [](int fd) { return ::fdatasync(fd); }};
}

// What a start finds in the last file.
struct Journal::Tail {
  Head head = {};
  uint64_t state_commit = 0;  // of the last checkpoint
  uint64_t whole_bytes = 0;
  std::string torn = {};  // behind the last whole line
  absl::Status damage = {};
};

Journal::Journal(JournalOptions options, const base::Clock& clock, SignerSource signer)
    : options_(std::move(options)), clock_(clock), signer_(std::move(signer)) {
  head_.hash = NoHash();
  state_commit_ = options_.state_commit;
}

Journal::~Journal() = default;

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(JournalOptions options,
                                                       const base::Clock& clock,
                                                       SignerSource signer, const Seen& seen) {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(options.folder, 0700));
  std::unique_ptr<Journal> journal(new Journal(std::move(options), clock, std::move(signer)));
  CDGATE_RETURN_IF_ERROR(journal->Lock());
  CDGATE_RETURN_IF_ERROR(journal->Continue(seen));
  return journal;
}

absl::Status Journal::Lock() {
  const std::string& folder = options_.folder;
  folder_ = std::make_unique<base::Fd>(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder_->get() < 0) return Unwritable(folder, errno);
  if (flock(folder_->get(), LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno != EWOULDBLOCK) return Unwritable(folder, errno);
  return base::MakeError(base::Reason::kLogLocked,
                         absl::StrCat("another process writes the audit log in ", folder),
                         {{"path", folder}});
}

absl::Status Journal::Continue(const Seen& seen) {
  CDGATE_ASSIGN_OR_RETURN(const std::vector<AuditFile> files, ListFiles(options_.folder));
  if (files.empty()) return BeginFile();
  const AuditFile& last = files.back();
  Tail tail{.head = {.number = last.first_number - 1, .hash = NoHash()}};
  CDGATE_RETURN_IF_ERROR(ReadTail(last.name, seen, &tail));
  head_ = tail.head;
  state_commit_ = tail.state_commit;
  path_ = base::JoinPath(options_.folder, last.name);
  damage_ = tail.damage;
  if (!damage_.ok()) {
    // At least the file name has to be another one.
    head_.number = std::max(head_.number, last.first_number);
    CDGATE_RETURN_IF_ERROR(BeginFile());
    Record found{.kind = kLog};
    found.members.Text("event", "damage found")
        .Text("file", last.name)
        .Text("detail", damage_.message());
    CDGATE_RETURN_IF_ERROR(Append({found}));
    return Sync();
  }
  file_ = std::make_unique<base::Fd>(open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (file_->get() < 0) return Unwritable(path_, errno);
  size_ = tail.whole_bytes;
  // A crash between making a file and its first line leaves an empty one.
  if (size_ == 0 && tail.torn.empty()) return AppendCheckpoint("file");
  return CutTorn(tail, path_);
}

absl::Status Journal::ReadTail(const std::string& name, const Seen& seen, Tail* tail) const {
  CDGATE_ASSIGN_OR_RETURN(LineReader reader,
                          LineReader::Open(base::JoinPath(options_.folder, name)));
  Head& head = tail->head;
  std::string text;
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const LineReader::Next next, reader.Read(&text));
    if (next == LineReader::Next::kEnd) return absl::OkStatus();
    if (next == LineReader::Next::kTorn) {
      tail->torn = text;
      return absl::OkStatus();
    }
    const auto line = ReadLine(text);
    const bool follows = line.ok() && line->number == head.number + 1 &&
                         (reader.lines() == 1 || line->previous == head.hash);
    if (!follows && tail->damage.ok()) {
      tail->damage =
          base::MakeError(base::Reason::kAuditDamaged,
                          absl::StrCat(name, " line ", reader.lines(), ": ",
                                       line.ok() ? "the entry does not follow the one before it"
                                                 : line.status().message()));
    }
    if (!line.ok()) continue;
    head.number = std::max(head.number, line->number);
    head.hash = std::string(line->hash);
    if (line->kind == kCheckpoint) {
      head.checkpoint = line->number;
      tail->state_commit = NumberMember(text, "state_commit");
    }
    tail->whole_bytes = reader.whole_bytes();
    if (seen) seen(*line, text);
  }
}

absl::Status Journal::CutTorn(const Tail& tail, const std::string& path) {
  if (tail.torn.empty()) return absl::OkStatus();
  if (ftruncate(file_->get(), static_cast<off_t>(tail.whole_bytes)) != 0) {
    return Unwritable(path, errno);
  }
  if (size_ == 0) CDGATE_RETURN_IF_ERROR(AppendCheckpoint("file"));
  Record cut{.kind = kLog};
  cut.members.Text("event", "unfinished line cut off")
      .Number("bytes", tail.torn.size())
      .Text("sha256", base::HexEncode(crypto::Sha256(tail.torn)));
  CDGATE_RETURN_IF_ERROR(Append({cut}));
  return Sync();
}

absl::Status Journal::BeginFile() {
  if (file_ != nullptr) CDGATE_RETURN_IF_ERROR(Sync());
  path_ = base::JoinPath(options_.folder, FileName(head_.number + 1));
  file_ = std::make_unique<base::Fd>(
      open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
  if (file_->get() < 0) return Unwritable(path_, errno);
  size_ = 0;
  CDGATE_RETURN_IF_ERROR(AppendCheckpoint("file"));
  CDGATE_RETURN_IF_ERROR(Sync());
  if (fsync(folder_->get()) != 0) return Unwritable(options_.folder, errno);
  return absl::OkStatus();
}

void Journal::Add(std::string line, std::string* out) {
  ++head_.number;
  // The hash stands at a fixed distance from the end.
  head_.hash = line.substr(line.size() - 2 - head_.hash.size(), head_.hash.size());
  absl::StrAppend(out, line, "\n");
}

void Journal::AddCheckpoint(absl::string_view reason, std::string* out) {
  const absl::Time now = clock_.Now();
  const Checkpoint checkpoint{.reason = reason,
                              .state_commit = state_commit_,
                              .domain = options_.domain,
                              .instance = options_.instance};
  const auto signer = signer_();
  const std::string line = MakeCheckpoint(head_.number + 1, now, head_.hash, checkpoint, signer);
  signing_ = signer.status();
  if (signing_.ok() && !IsSigned(line)) {
    signing_ = base::MakeError(base::Reason::kInternal, TextMember(line, "not_signed"));
  }
  Add(line, out);
  head_.checkpoint = head_.number;
  head_.checkpoint_time = now;
}

absl::Status Journal::AppendCheckpoint(absl::string_view reason) {
  std::string out;
  AddCheckpoint(reason, &out);
  return Write(out);
}

absl::Status Journal::Append(absl::Span<const Record> records) {
  if (size_ >= options_.file_bytes) CDGATE_RETURN_IF_ERROR(BeginFile());
  std::string out;
  for (const Record& record : records) {
    const absl::Time time = record.time == absl::InfinitePast() ? clock_.Now() : record.time;
    Add(Seal(Unsealed(head_.number + 1, time, head_.hash, record.kind, Fitting(record))), &out);
    if (unsigned_entries() >= kEntriesPerCheckpoint) AddCheckpoint("entries", &out);
  }
  return Write(out);
}

absl::Status Journal::Write(absl::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t n = options_.calls.write(file_->get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Unwritable(path_, errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status Journal::Sync() {
  if (options_.calls.sync(file_->get()) == 0) return absl::OkStatus();
  return Unwritable(path_, errno);
}

absl::Status Journal::RemoveOld() {
  CDGATE_ASSIGN_OR_RETURN(const std::vector<AuditFile> files, ListFiles(options_.folder));
  const absl::Time before = clock_.Now() - options_.retention;
  for (size_t i = 0; i + 1 < files.size(); ++i) {
    // All of a file is older than the first entry of the next one.
    const auto next = FirstTime(base::JoinPath(options_.folder, files[i + 1].name));
    // A damaged file is for whoever investigates, and so is what is before it.
    if (!next.ok() || *next >= before) return absl::OkStatus();
    CDGATE_RETURN_IF_ERROR(
        RemoveFile(files[i].name, files[i].first_number, files[i + 1].first_number - 1));
  }
  return absl::OkStatus();
}

absl::Status Journal::RemoveFile(const std::string& name, uint64_t first, uint64_t last) {
  const std::string path = base::JoinPath(options_.folder, name);
  CDGATE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path));
  Record removed{.kind = kRemoved};
  removed.members.Text("file", name)
      .Number("first", first)
      .Number("last", last)
      .Text("sha256", base::HexEncode(crypto::Sha256(bytes)));
  CDGATE_RETURN_IF_ERROR(Append({removed}));
  CDGATE_RETURN_IF_ERROR(Sync());
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return Unwritable(path, errno);
  if (fsync(folder_->get()) != 0) return Unwritable(options_.folder, errno);
  return absl::OkStatus();
}

}  // namespace cdgate::audit
