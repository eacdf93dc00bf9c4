// cdgate_e2e_damage: damages one resource in the state of a gateway that does not run.
//
//   cdgate_e2e_damage DATA_DIR/state policy beta.example value   what it holds becomes garbage
//   cdgate_e2e_damage DATA_DIR/state policy beta.example rules   a policy that does not compile
//   cdgate_e2e_damage DATA_DIR/state policy beta.example remove  it is gone, as if never applied
//
// Exit status: 0 done, 1 the state cannot be opened or has no such resource.
#include <iostream>
#include <string>
#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/state/rocks_kv.h"
#include "gateway/state/rows.h"

namespace cdgate::e2e {
namespace {

using state::Table;

// A condition that no release compiles.
std::string BrokenPolicy(const std::string& peer) {
  admin::v1::Policy policy;
  policy.set_peer(peer);
  auto* const exported = policy.mutable_export_()->add_rules();
  exported->set_name("broken");
  exported->set_when("type LIKE");
  exported->set_action(admin::v1::ACTION_ALLOW);
  auto* const imported = policy.mutable_import()->add_rules();
  imported->set_name("broken");
  imported->set_when("type LIKE");
  imported->set_action(admin::v1::ACTION_ALLOW);
  return policy.SerializeAsString();
}

absl::Status Damage(state::KvStore& kv, const std::string& key, const std::string& name,
                    const std::string& how) {
  const auto batch = kv.NewBatch();
  std::string bytes;
  const auto found = kv.Get(Table::kResource, key, &bytes);
  if (!found.ok()) return found.status();
  storage::v1::ResourceRow row;
  if (!*found || !row.ParseFromString(bytes)) return absl::NotFoundError("no such resource");
  if (how == "remove") {
    batch->Delete(Table::kResource, key);
  } else {
    row.mutable_change()->set_value(how == "value" ? "\xff\xff\xff garbage \x01"
                                                   : BrokenPolicy(name));
    batch->Put(Table::kResource, key, row.SerializeAsString());
  }
  if (absl::Status written = kv.Write(*batch); !written.ok()) return written;
  return kv.Flush();
}

int Main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: cdgate_e2e_damage STATE_DIR KIND NAME value|rules|remove" << std::endl;
    return 1;
  }
  auto kv = state::RocksKv::Open({.directory = argv[1]});
  const absl::Status done =
      kv.ok() ? Damage(**kv, state::ResourceKey(argv[2], argv[3]), argv[3], argv[4]) : kv.status();
  if (!done.ok()) std::cerr << done << std::endl;
  return done.ok() ? 0 : 1;
}

}  // namespace
}  // namespace cdgate::e2e

int main(int argc, char** argv) { return cdgate::e2e::Main(argc, argv); }
