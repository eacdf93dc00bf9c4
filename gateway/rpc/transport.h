// What both ends of our HTTP/2 connections say to gRPC.
#pragma once

namespace cdgate::rpc {

// Bytes of a call's metadata, either way.
inline constexpr int kMaxMetadataBytes = 8 << 10;
// Bytes of an HTTP/2 frame that we take: messages are many times the usual 16 KiB, and each
// frame costs its share. A frame is handed on as it comes; nothing waits for its end.
inline constexpr int kHttp2FrameBytes = 128 << 10;
// Bytes of one stream that may be under way before we have read them: gRPC measures what the
// path holds (its "BDP probe"), offers 4 MiB, and more, up to this, where the path holds more.
inline constexpr int kProbedWindowBytes = 32 << 20;
// Without the probe: of a stream, and, but for a message that is being read, of all streams of a
// connection together. gRPC 1.51 goes back to it as soon as another window, set by
// GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, was acknowledged.
inline constexpr int kFixedWindowBytes = 64 << 10;

}  // namespace cdgate::rpc
