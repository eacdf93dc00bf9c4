// A gateway's key for checkpoints, and small logs that tests do things to.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "auth/audit/folder.h"
#include "auth/audit/journal.h"
#include "auth/audit/verify_folder.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::audit {

inline Record Act(const std::string& what) {
  Record record{.kind = kAct};
  record.members.Text("who", "spiffe://alpha.example/user/ann").Text("what", what);
  return record;
}

inline std::string Contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

inline void Write(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
}

// A folder, a clock, a CA and a signer of gw1.
struct AuditWorld {
  test::TempDir dir;
  test::FakeClock clock;
  test::TestCa ca{"alpha.example", clock.Now()};
  crypto::IssuedCertificate gateway = ca.Gateway("gw1");

  JournalOptions Options() const {
    return {.folder = dir.path(), .domain = "alpha.example", .instance = "gw1"};
  }
  SignerSource Source() const {
    return [this] { return MakeSigner(gateway.certificate_pem, gateway.key_pem); };
  }
  std::unique_ptr<Journal> Open(JournalOptions options, const Journal::Seen& seen = nullptr) {
    auto journal = Journal::Open(std::move(options), clock, Source(), seen);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return *std::move(journal);
  }
  std::unique_ptr<Journal> Open() { return Open(Options()); }

  Report Verify(std::vector<KnownEntry> known = {}) const {
    const auto report =
        VerifyFolder(dir.path(), {.bundle_pem = ca.bundle_pem(), .known = std::move(known)});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(Report());
  }
  std::string File(size_t index = 0) const {
    return dir.File(ListFiles(dir.path()).value().at(index).name);
  }
  std::vector<std::string> Lines(size_t index = 0) const {
    return absl::StrSplit(Contents(File(index)), '\n', absl::SkipEmpty());
  }
  void Rewrite(const std::vector<std::string>& lines) const {
    std::string bytes;
    for (const std::string& line : lines) absl::StrAppend(&bytes, line, "\n");
    Write(File(), bytes);
  }
};

}  // namespace cdgate::audit
