#include "gateway/cli/input.h"

#include <fcntl.h>
#include <poll.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/json_splitter.h"

namespace cdgate::cli {
namespace {

using base::MakeError;
using base::Reason;
using io::cloudevents::v1::CloudEvent;

absl::Status Unreadable(const std::string& file, int error) {
  const std::string name = file == "-" ? "standard input" : file;
  return MakeError(Reason::kFileUnreadable,
                   absl::StrCat("cannot read ", name, ": ", std::strerror(error)),
                   {{"path", name}});
}

// An open input; closes what it opened.
class Input {
 public:
  static absl::StatusOr<Input> Open(const std::string& file, const Streams& streams) {
    if (file == "-") return Input(file, streams.in_fd, false);
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return Unreadable(file, errno);
    Input input(file, fd, true);
    struct stat info {};
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) return Unreadable(file, EISDIR);
    return input;
  }
  Input(Input&& other) noexcept
      : file_(std::move(other.file_)), fd_(other.fd_), owned_(std::exchange(other.owned_, false)) {}
  ~Input() {
    if (owned_) close(fd_);
  }

  const std::string& file() const { return file_; }

  // 0 at the end.
  absl::StatusOr<size_t> Read(char* buffer, size_t size) const {
    for (;;) {
      const ssize_t n = read(fd_, buffer, size);
      if (n >= 0) return static_cast<size_t>(n);
      if (errno != EINTR) return Unreadable(file_, errno);
    }
  }
  // True where a read would wait.
  bool Waits() const {
    pollfd readable{fd_, POLLIN, 0};
    return poll(&readable, 1, 0) == 0;
  }
  // 0 where it is not a regular file.
  uint64_t size() const {
    struct stat info {};
    return fstat(fd_, &info) == 0 && S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size)
                                                           : 0;
  }

 private:
  Input(std::string file, int fd, bool owned) : file_(std::move(file)), fd_(fd), owned_(owned) {}

  std::string file_;
  int fd_;
  bool owned_;
};

// Reads opened inputs one after the other.
class InputReader {
 public:
  InputReader(std::vector<Input> inputs, const InputEvents& events)
      : inputs_(std::move(inputs)), events_(events) {
    bool known = true;
    for (const Input& input : inputs_) {
      all_ += input.size();
      known = known && input.size() > 0;
    }
    if (!known) all_ = 0;
  }

  absl::Status Run() {
    for (const Input& input : inputs_) CDGATE_RETURN_IF_ERROR(ReadOne(input));
    return absl::OkStatus();
  }

 private:
  absl::Status ReadOne(const Input& input) {
    JsonSplitter splitter;
    absl::Status status;
    size_t texts = 0;
    const auto sink = [&](std::string json, size_t line) {
      ++texts;
      if (status.ok()) status = events_.text({input.file(), line, std::move(json)});
    };
    char buffer[1 << 16];
    for (;;) {
      if (events_.idle != nullptr && input.Waits()) CDGATE_RETURN_IF_ERROR(events_.idle());
      CDGATE_ASSIGN_OR_RETURN(const size_t n, input.Read(buffer, sizeof buffer));
      if (n == 0) break;
      splitter.Feed(absl::string_view(buffer, n), sink);
      CDGATE_RETURN_IF_ERROR(status);
      done_ += n;
      if (events_.progress != nullptr) events_.progress(done_, all_);
    }
    splitter.Finish(sink);
    if (texts == 0) sink("", 1);
    return status;
  }

  std::vector<Input> inputs_;
  const InputEvents& events_;
  uint64_t done_ = 0;
  uint64_t all_ = 0;
};

}  // namespace

absl::StatusOr<bool> Confirm(absl::string_view question, const Streams& streams) {
  constexpr size_t kLongestAnswer = 100;
  streams.err << question << " [y/N] " << std::flush;
  CDGATE_ASSIGN_OR_RETURN(const Input input, Input::Open("-", streams));
  std::string line;
  char c = 0;
  while (line.size() < kLongestAnswer) {
    CDGATE_ASSIGN_OR_RETURN(const size_t size, input.Read(&c, 1));
    if (size == 0 || c == '\n') break;
    line.push_back(c);
  }
  const std::string answer = absl::AsciiStrToLower(absl::StripAsciiWhitespace(line));
  return answer == "y" || answer == "yes";
}

absl::StatusOr<std::string> ArgumentOrInput(const std::string& argument, const Streams& streams,
                                            size_t max_bytes) {
  if (argument != "-") return argument;
  CDGATE_ASSIGN_OR_RETURN(const Input input, Input::Open("-", streams));
  std::string text;
  char buffer[4096];
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const size_t n, input.Read(buffer, sizeof buffer));
    if (n == 0) return std::string(absl::StripAsciiWhitespace(text));
    text.append(buffer, n);
    if (text.size() > max_bytes) return Unreadable("-", EFBIG);
  }
}

std::string InputText::place() const {
  const std::string name = file == "-" ? "standard input" : file;
  return line == 1 ? name : absl::StrCat(name, ":", line);
}

absl::Status ReadInputs(const std::vector<std::string>& files, const Streams& streams,
                        const InputEvents& events) {
  std::vector<Input> inputs;
  for (const std::string& file : files.empty() ? std::vector<std::string>{"-"} : files) {
    CDGATE_ASSIGN_OR_RETURN(Input input, Input::Open(file, streams));
    inputs.push_back(std::move(input));
  }
  return InputReader(std::move(inputs), events).Run();
}

absl::Status EventReader::Read(absl::string_view json, CloudEvent* event) {
  CDGATE_ASSIGN_OR_RETURN(const simdjson::dom::element root, parser_.ParseIJson(json));
  if (event::LooksStructured(root)) return ReadStructured(json, event);
  std::string renamed;
  if (new_ids_) {
    std::string id;
    CDGATE_ASSIGN_OR_RETURN(renamed, WithNewId(json, &id));
    json = renamed;
  }
  CDGATE_ASSIGN_OR_RETURN(const event::ValidEvent valid, admitter_.AdmitCdEventJson(json));
  if (!event->ParseFromString(std::string(valid.cloud_event()))) {
    return MakeError(Reason::kInternal, "an admitted event does not parse");
  }
  return absl::OkStatus();
}

absl::Status EventReader::ReadStructured(absl::string_view json, CloudEvent* event) {
  CDGATE_RETURN_IF_ERROR(structured_.Read(json, event));
  if (!new_ids_) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(std::string renamed,
                          WithNewId(event->binary_data(), event->mutable_id()));
  event->set_binary_data(std::move(renamed));
  return absl::OkStatus();
}

absl::StatusOr<std::string> EventReader::WithNewId(absl::string_view cdevent, std::string* id) {
  const simdjson::padded_string padded(cdevent.data(), cdevent.size());
  simdjson::ondemand::parser scanner;
  simdjson::ondemand::document document;
  simdjson::ondemand::value value;
  if (scanner.iterate(padded).get(document) != simdjson::SUCCESS ||
      document["context"]["id"].get(value) != simdjson::SUCCESS ||
      value.type().error() != simdjson::SUCCESS ||
      value.type().value() != simdjson::ondemand::json_type::string) {
    return MakeError(Reason::kInvalidEvent, "context.id is missing or not a string",
                     {{"path", "context.id"}});
  }
  // The token as it stands, with its quotes and perhaps white space behind them.
  const std::string_view text = value.raw_json_token();
  *id = NewUuid(random_);
  const size_t begin = static_cast<size_t>(text.data() - padded.data());
  const size_t end = begin + absl::StripTrailingAsciiWhitespace(event::ToAbsl(text)).size();
  return absl::StrCat(cdevent.substr(0, begin), "\"", *id, "\"", cdevent.substr(end));
}

std::string NewUuid(base::Random& random) {
  std::string bytes = random.Bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  const std::string hex = base::HexEncode(bytes);
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

}  // namespace cdgate::cli
