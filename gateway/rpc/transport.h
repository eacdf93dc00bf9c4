// What both ends of our HTTP/2 connections say to gRPC.
#pragma once

namespace cdgate::rpc {

// Bytes of a call's metadata, either way.
inline constexpr int kMaxMetadataBytes = 8 << 10;
// Bytes of an HTTP/2 frame that we take: messages are many times the usual 16 KiB, and each
// frame costs its share. A frame is handed on as it comes; nothing waits for its end.
inline constexpr int kHttp2FrameBytes = 128 << 10;

}  // namespace cdgate::rpc
