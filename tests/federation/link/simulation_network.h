// The connection between two simulated sides: frames that arrive in order, late or never; and,
// where the story has it, what a broken transport or a hostile peer makes of them.
#pragma once

#include <optional>
#include <string>

#include "tests/federation/link/simulation_side.h"

namespace cdgate::test {

class Network {
 public:
  explicit Network(Stage& world) : world_(world) {}

  // Both ways anew.
  void Open();
  // It is gone. What was on its way may still arrive, at a side that has not noticed.
  void Cut();
  // Nothing passes for a while, one way or both.
  void Partition();
  // No more faults.
  void Heal();
  // The next bytes that arrive, if any do.
  std::optional<std::string> Next(Wire& wire, bool hostile, const Side& to);

  Wire a_to_b, b_to_a;

 private:
  std::string Forged(const Side& to);
  std::string ForgedBatch(const Side& to);
  std::optional<std::string> Mangled(Wire& wire);

  Stage& world_;
};

}  // namespace cdgate::test
