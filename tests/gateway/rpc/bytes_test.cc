#include "gateway/rpc/bytes.h"

#include <gtest/gtest.h>

#include <string>

#include "cdgate/events/v1/events.pb.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

grpc::ByteBuffer InPieces(const std::string& text, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < text.size(); at += piece) slices.emplace_back(text.substr(at, piece));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

TEST(BytesTest, TakesAStringOverWithoutCopying) {
  std::string text(10000, 'x');
  const char* const where = text.data();
  const grpc::ByteBuffer bytes = ToBytes(std::move(text));
  EXPECT_EQ(FlatBytes(bytes).view().data(), where);
  EXPECT_EQ(bytes.Length(), 10000U);
}

TEST(BytesTest, TakesTwoStringsOverAsOneMessage) {
  std::string tail(10000, 'x');
  const char* const where = tail.data();
  const grpc::ByteBuffer bytes = ToBytes("head", std::move(tail));
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(bytes.Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 2U);
  EXPECT_EQ(slices[1].begin(), reinterpret_cast<const uint8_t*>(where));
  EXPECT_EQ(FlatBytes(bytes).view(), "head" + std::string(10000, 'x'));
  EXPECT_EQ(FlatBytes(ToBytes("alone", "")).view(), "alone");
}

TEST(BytesTest, SharedBytesAreCopiedIntoNoMessage) {
  std::string text(10000, 'x');
  const char* const where = text.data();
  grpc::ByteBuffer bytes;
  {
    const SharedBytes shared(std::move(text));
    EXPECT_EQ(shared.size(), 10000U);
    bytes = ToBytes("head", std::vector<SharedBytes>{shared, shared});
  }
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(bytes.Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 3U);
  EXPECT_EQ(slices[1].begin(), reinterpret_cast<const uint8_t*>(where));
  EXPECT_EQ(slices[2].begin(), reinterpret_cast<const uint8_t*>(where));
  EXPECT_EQ(FlatBytes(bytes).view(), "head" + std::string(20000, 'x'));
}

TEST(BytesTest, FlatBytesJoinsPiecesAndOutlivesTheBuffer) {
  FlatBytes flat;
  {
    const grpc::ByteBuffer bytes = InPieces("abcdefghij", 3);
    flat = FlatBytes(bytes);
  }
  EXPECT_EQ(flat.view(), "abcdefghij");
}

TEST(BytesTest, EmptyBufferIsEmptyBytes) {
  EXPECT_EQ(FlatBytes(grpc::ByteBuffer()).view(), "");
  EXPECT_EQ(FlatBytes(ToBytes("")).view(), "");
}

TEST(BytesTest, MessageSurvivesInOnePieceAndInMany) {
  events::v1::GetEventRequest request;
  request.set_id("some-event");
  request.set_source("https://ci.alpha.example/jenkins");
  for (const grpc::ByteBuffer& bytes :
       {Serialise(request), InPieces(request.SerializeAsString(), 1)}) {
    events::v1::GetEventRequest got;
    CDGATE_EXPECT_OK(Parse(bytes, &got));
    EXPECT_EQ(got.SerializeAsString(), request.SerializeAsString());
  }
}

TEST(BytesTest, BytesThatAreNoMessageAreAProtocolError) {
  events::v1::GetEventRequest got;
  EXPECT_THAT(Parse(ToBytes("\x0A\xFF"), &got), test::HasReason(base::Reason::kProtocolError));
  EXPECT_THAT(Parse(grpc::ByteBuffer(), &got), test::HasReason(base::Reason::kProtocolError));
}

}  // namespace
}  // namespace cdgate::rpc
