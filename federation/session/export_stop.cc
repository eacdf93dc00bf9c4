#include "federation/session/export_stop.h"

#include "cdgate/admin/v1/agreement.pb.h"

namespace cdgate::session {

bool ExportsStopped(const state::ResourceSnapshot& resources) {
  const state::ResourcePtr resource = resources.Find(kExportsKind, kAllExports);
  if (resource == nullptr) return false;
  const auto exports = resource->As<admin::v1::ExportSwitch>();
  return !exports.ok() || exports->stopped();
}

}  // namespace cdgate::session
