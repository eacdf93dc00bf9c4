// The switch that stops all exports of a gateway: one resource, so that it holds across restarts
// and its history says who turned it.
//
//   if (ExportsStopped(*store.Resources())) HoldBack();
#pragma once

#include "gateway/state/resources.h"

namespace cdgate::session {

// The resource: an admin.v1.ExportSwitch.
inline constexpr char kExportsKind[] = "exports";
inline constexpr char kAllExports[] = "all";

// Whether nothing may leave. One that cannot be read stops, too. Thread-safe, fast.
bool ExportsStopped(const state::ResourceSnapshot& resources);

}  // namespace cdgate::session
