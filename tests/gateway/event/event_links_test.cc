#include "gateway/event/event_links.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace cdgate::event {
namespace {

// "type kind id domain pointer;" of each link.
std::string Described(absl::string_view data) {
  LinkReader reader;
  const EventLinks links = reader.Read(data);
  std::string text;
  for (const EventLink& link : links.links) {
    absl::StrAppend(&text, link.type, "|", link.kind, "|", link.context_id, "|", link.domain_id,
                    "|", link.pointer, ";");
  }
  return text;
}

TEST(LinkReaderTest, ReadsTheLinksThatAnEventCarries) {
  constexpr absl::string_view kData = R"({"context":{"id":"x","chainId":"c1","links":[
    {"linkType":"PATH","from":{"contextId":"a"}},
    {"linkType":"RELATION","linkKind":"TRIGGER","target":{"contextId":"b","domainId":"d"}},
    {"linkType":"RELATION","linkKind":"ARTIFACT","target":{"domainId":"d"}},
    {"linkType":"END"},
    {"linkType":"START","start":{"contextId":"x"}}]}})";
  LinkReader reader;
  EXPECT_EQ(reader.ChainOf(kData), "c1");
  EXPECT_EQ(reader.Read(kData).chain_id, "c1");
  EXPECT_EQ(Described(kData),
            "PATH||a||/context/links/0/from/contextId;"
            "RELATION|TRIGGER|b|d|/context/links/1/target/contextId;"
            "RELATION|ARTIFACT||d|;END||||;START||x||/context/links/4/start/contextId;");
}

TEST(LinkReaderTest, ReadsTheNamesOfCDEvents040) {
  constexpr absl::string_view kData =
      R"({"context":{"chain_id":"c1","links":[{"link_type":"PATH","from":{"context_id":"a"}}]}})";
  LinkReader reader;
  EXPECT_EQ(reader.ChainOf(kData), "c1");
  EXPECT_EQ(Described(kData), "PATH||a||/context/links/0/from/context_id;");
}

TEST(LinkReaderTest, EscapesAreRead) {
  constexpr absl::string_view kData = R"({"context":{"\u0063hainId":"c\u0031"}})";
  LinkReader reader;
  EXPECT_EQ(reader.ChainOf(kData), "c1");
}

TEST(LinkReaderTest, PassesOverWhatIsOfAnotherForm) {
  LinkReader reader;
  for (const absl::string_view data :
       {"", "[", "[]", "1", "{}", R"({"context":1})", R"({"context":{"chainId":1,"links":{}}})",
        R"({"context":{"chainId":null,"links":null}})"}) {
    EXPECT_EQ(reader.ChainOf(data), "") << data;
    EXPECT_EQ(Described(data), "") << data;
  }
  EXPECT_EQ(Described(R"({"context":{"links":[1,[],{"linkType":2,"from":"a"},
                         {"from":{"contextId":3}}]}})"),
            "||||;||||;");
}

TEST(LinkReaderTest, ReadsTheFirstOfManyLinks) {
  std::string links;
  for (size_t i = 0; i < kMaxLinks + 3; ++i) {
    absl::StrAppend(&links, i == 0 ? "" : ",", R"({"linkType":"END"})");
  }
  LinkReader reader;
  const EventLinks read = reader.Read(absl::StrCat(R"({"context":{"links":[)", links, "]}}"));
  EXPECT_EQ(read.links.size(), kMaxLinks);
  EXPECT_EQ(read.more, 3u);
}

}  // namespace
}  // namespace cdgate::event
