#include "gateway/webhook/credential_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gateway/base/file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::webhook {
namespace {

using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

class CredentialFilesTest : public testing::Test {
 protected:
  std::string Write(const std::string& text, mode_t mode = 0600) {
    const std::string path = dir_.File("file");
    CDGATE_EXPECT_OK(base::WriteFileAtomically(path, text, mode));
    return path;
  }
  test::TempDir dir_;
  AllowedTarget target_{.name = "ci"};
};

TEST_F(CredentialFilesTest, TheTokenIsTheFirstLine) {
  EXPECT_EQ(*TokenOf(target_), "");
  target_.token_file = Write(" abc.DEF-1 \r\n# of the team ci\n");
  EXPECT_EQ(*TokenOf(target_), "abc.DEF-1");
  CDGATE_EXPECT_OK(CheckFiles(target_));
}

TEST_F(CredentialFilesTest, WhatIsNoTokenIsRefused) {
  for (const char* text : {"", "\n", "two words", "tab\there", "\xc3\xbc", "a\x01"}) {
    target_.token_file = Write(text);
    EXPECT_THAT(TokenOf(target_).status(),
                HasReasonAndMessage(Reason::kFileUnreadable, HasSubstr("is no token")))
        << text;
  }
  target_.token_file = dir_.File("missing");
  EXPECT_THAT(TokenOf(target_).status(), HasReason(Reason::kFileUnreadable));
}

TEST_F(CredentialFilesTest, FilesThatEverybodyCanReadAreRefused) {
  target_.token_file = Write("abc", 0644);
  EXPECT_THAT(TokenOf(target_).status(),
              HasReasonAndMessage(Reason::kFileUnreadable, HasSubstr("chmod 600")));
  target_.token_file.clear();
  target_.key = dir_.File("file");
  EXPECT_THAT(TokenOf(target_).status(), HasReason(Reason::kFileUnreadable));
}

TEST_F(CredentialFilesTest, AtTheStartTheKeyOfTheConfigurationIsNamed) {
  target_.ca_file = dir_.File("missing");
  EXPECT_THAT(CheckFiles(target_), HasReasonAndMessage(Reason::kInvalidConfig,
                                                       HasSubstr("webhook target ci: ca_file: ")));
}

}  // namespace
}  // namespace cdgate::webhook
