// Fills a protobuf message from YAML by the message's descriptor, so that the .proto
// files are the one description of every file format.
//
//   config::v1::GatewayConfig message;
//   MessageReader reader("gateway.yaml");
//   CDGATE_RETURN_IF_ERROR(reader.Read(root, &message));
//   ... reader.LineOf("log.retention") ...
//
// Keys are field names. Enumeration values are written without their prefix, in any case
// (ALLOW for ACTION_ALLOW); durations, sizes and timestamps as scalars.h has them, sizes
// only in integer fields named …_bytes; bytes in base64; maps as mappings. A key without
// a value leaves its field unset. A text field takes any scalar as it is written.
//
// Errors are INVALID_CONFIG "file:line: key.path: what; expected …", the first one found;
// the message is partly filled then.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/config/yaml_node.h"

namespace cdgate::config {

// One file. Not thread-safe.
class MessageReader {
 public:
  explicit MessageReader(absl::string_view file) : file_(file) {}

  // Reads the mapping `node` into `message`. `ignored_key`, where not empty, is no field:
  // it is left to the caller.
  absl::Status Read(const YamlNode& node, google::protobuf::Message* message,
                    absl::string_view ignored_key = "");

  // Line of a key that was read, "log.retention" or "rules[2].when"; of the nearest key
  // above it where it was not in the file; 1 where that was not either.
  int LineOf(absl::string_view path) const;
  // INVALID_CONFIG about that key.
  absl::Status ErrorAt(absl::string_view path, absl::string_view what) const;

 private:
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;

  absl::Status ReadMessage(const YamlNode& node, const std::string& path,
                           absl::string_view ignored_key, Message* message);
  absl::Status ReadMember(const YamlMember& member, const std::string& path, Message* message);
  absl::Status ReadField(const YamlNode& node, const std::string& path, const Field& field,
                         Message* message);
  absl::Status ReadList(const YamlNode& node, const std::string& path, const Field& field,
                        Message* message);
  absl::Status ReadMap(const YamlNode& node, const std::string& path, const Field& field,
                       Message* message);
  // One value: sets the field, or adds to a repeated one.
  absl::Status ReadValue(const YamlNode& node, const std::string& path, const Field& field,
                         Message* message);
  absl::Status ReadScalar(const YamlNode& node, const std::string& path, const Field& field,
                          Message* message);
  absl::Status UnknownKey(const YamlMember& member, const std::string& path,
                          const google::protobuf::Descriptor& descriptor) const;
  absl::Status Wrong(const YamlNode& node, const std::string& path,
                     absl::string_view expected) const;

  const std::string file_;
  absl::flat_hash_map<std::string, int> lines_;
};

}  // namespace cdgate::config
