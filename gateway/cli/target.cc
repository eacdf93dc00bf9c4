#include "gateway/cli/target.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/config/yaml_node.h"

namespace cdgate::cli {
namespace {

using base::MakeError;
using base::Reason;
using Environment = std::function<std::string(const char*)>;

std::string ContextsPath(const Environment& environment) {
  const std::string config = environment("XDG_CONFIG_HOME");
  const std::string base = config.empty() ? base::JoinPath(environment("HOME"), ".config") : config;
  return base::JoinPath(base, "cdgate/contexts.yaml");
}

std::string ExpandHome(const std::string& path, const Environment& environment) {
  return absl::StartsWith(path, "~/") ? base::JoinPath(environment("HOME"), path.substr(2)) : path;
}

absl::StatusOr<std::string> TextOf(const config::YamlNode& node, const std::string& path,
                                   absl::string_view key) {
  if (node.kind == config::YamlNode::Kind::kScalar) return node.text;
  return config::ConfigError(path, node.line, key, "is not a text");
}

absl::StatusOr<Target> ReadContext(const config::YamlNode& root, const std::string& name,
                                   const std::string& path) {
  const config::YamlNode* const contexts = root.Find("contexts");
  const config::YamlNode* const context = contexts == nullptr ? nullptr : contexts->Find(name);
  if (context == nullptr) {
    return config::ConfigError(path, root.line, "contexts",
                               absl::StrCat("has no context ", name, "; add it"));
  }
  Target target;
  for (const config::YamlMember& member : context->members) {
    CDGATE_ASSIGN_OR_RETURN(std::string value, TextOf(member.value, path, member.key));
    if (member.key == "gateway") {
      target.gateway = std::move(value);
    } else if (member.key == "identity") {
      target.identity = std::move(value);
    } else if (member.key == "key_passphrase_file") {
      target.key_passphrase_file = std::move(value);
    } else {
      return config::ConfigError(path, member.line, member.key,
                                 "is not a key of a context; they are gateway, identity and "
                                 "key_passphrase_file");
    }
  }
  return target;
}

// The contexts file, read when it is first needed.
class Contexts {
 public:
  explicit Contexts(const Environment& environment)
      : environment_(environment), path_(ContextsPath(environment)) {}

  // Fills what `target` does not have from the context `name`.
  absl::Status Fill(const std::string& name, Target* target) {
    CDGATE_RETURN_IF_ERROR(Load());
    CDGATE_ASSIGN_OR_RETURN(const Target found, ReadContext(root_, name, path_));
    if (target->gateway.empty()) target->gateway = found.gateway;
    if (target->identity.empty()) {
      target->identity = ExpandHome(found.identity, environment_);
      target->key_passphrase_file = ExpandHome(found.key_passphrase_file, environment_);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Current() {
    CDGATE_RETURN_IF_ERROR(Load());
    const config::YamlNode* const current = root_.Find("current");
    if (current == nullptr) return std::string();
    return TextOf(*current, path_, "current");
  }

 private:
  absl::Status Load() {
    if (loaded_) return absl::OkStatus();
    if (base::FileExists(path_)) {
      CDGATE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path_));
      CDGATE_ASSIGN_OR_RETURN(root_, config::ParseYaml(text, path_));
    }
    loaded_ = true;
    return absl::OkStatus();
  }

  const Environment& environment_;
  const std::string path_;
  config::YamlNode root_;
  bool loaded_ = false;
};

bool Complete(const Target& target) {
  return !target.gateway.empty() && (target.is_local() || !target.identity.empty());
}

}  // namespace

absl::StatusOr<Target> ResolveTarget(const TargetFlags& flags, const Environment& environment) {
  Contexts contexts(environment);
  Target target{.gateway = flags.gateway, .identity = flags.identity};
  if (!flags.context.empty()) CDGATE_RETURN_IF_ERROR(contexts.Fill(flags.context, &target));
  if (target.gateway.empty()) target.gateway = environment("CDGATE_GATEWAY");
  if (target.identity.empty()) target.identity = environment("CDGATE_IDENTITY");
  if (!Complete(target)) {
    std::string name = environment("CDGATE_CONTEXT");
    if (name.empty()) {
      CDGATE_ASSIGN_OR_RETURN(name, contexts.Current());
    }
    if (!name.empty()) CDGATE_RETURN_IF_ERROR(contexts.Fill(name, &target));
  }
  if (target.key_passphrase_file.empty()) {
    target.key_passphrase_file = environment("CDGATE_KEY_PASSPHRASE_FILE");
  }
  if (target.gateway.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "no gateway is named: give --gateway HOST:PORT, set CDGATE_GATEWAY, or name "
                     "a context");
  }
  if (!Complete(target)) {
    return MakeError(Reason::kInvalidArgument,
                     "no identity is named: give --identity DIR with tls.crt, tls.key and "
                     "bundle.pem, set CDGATE_IDENTITY, or name a context");
  }
  target.token_file =
      flags.token_file.empty() ? environment("CDGATE_TOKEN_FILE") : flags.token_file;
  if (target.is_local() && !target.token_file.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "a token is for the api listener, and the gateway named is a Unix socket: "
                     "leave out --token-file and CDGATE_TOKEN_FILE, or name HOST:PORT");
  }
  return target;
}

}  // namespace cdgate::cli
