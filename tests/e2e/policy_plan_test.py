#!/usr/bin/env python3
"""A plan says exactly what a change lets cross, and afterwards it is known of every event.

    policy_plan_test.py [--events N] [--further N] [--changes N] [--cuts N] [--kills N] [--trim] [--seed N]

Events are published under a narrow policy. A plan of a wider one with backfill names the events
that would newly cross; applied by its hash, exactly these cross, and further events cross as the
candidate says. Then policies change, the link is cut and both gateways are killed, and, with
--trim, retention removes the events: what explain and who-got say of every event, before and
after, is what happened, and the sums agree with the metrics.
"""
import argparse
import json
import os
import random
import time

import harness
import policy_harness
from policy_harness import Gate, POLICIES, index_of, run_client


class PlanTest(policy_harness.GateTest):
    run_as = None  # of the command line

    def setUp(self):
        self.seed = self.run_as.seed
        self.random = random.Random(self.seed)
        policy_harness.configure(self.alpha, "log:\n  segment_bytes: 1048576\n")

    def planned(self, plan_hash, which):
        """Ids of one of a plan's lists."""
        path = self.path(f"plan-{which}")
        self.assert_run(run_client(self.alpha, POLICIES, "plan-events", "--hash", plan_hash, "--list", which, "--out", path,
                                   identity="admin"))
        with open(path, encoding="utf-8") as file:
            return [line.rstrip("\n").split("\t")[1] for line in file]

    def test_what_is_planned_is_what_happens(self):
        run = self.run_as
        narrow, wide = Gate(["artifact"], [3]), Gate(["artifact", "service", "build"], [7])
        self.start_with(narrow)
        self.publish(0, run.events)
        self.wait_until_settled()
        before = {index for index in range(run.events) if narrow.rule_of(self.seed, index) == "subjects"}
        self.assert_arrived(before, "under the narrow policy")

        newly = {index for index in range(run.events) if wide.rule_of(self.seed, index) == "subjects"} - before
        plan = self.plan(self.alpha, wide.yaml(), "--backfill").json()
        self.assertEqual({index_of(one) for one in self.planned(plan["hash"], "newly")}, newly)
        self.assertEqual(int(plan["newly"]["events"]), len(newly))
        no_longer = {index for index in before if wide.rule_of(self.seed, index) != "subjects"}
        self.assertEqual({index_of(one) for one in self.planned(plan["hash"], "no-longer")}, no_longer)

        applied = self.assert_run(self.apply_plan(self.alpha, plan["hash"])).json()
        self.gates[int(applied["version"]["version"])] = wide
        self.wait_until_settled()
        arrivals = self.assert_arrived(before | newly, "after the backfill")
        self.assertEqual({index_of(arrival.id) for arrival in arrivals if "replayed" in arrival.notes}, newly)
        end = run.events + run.further
        self.publish(run.events, end)
        self.wait_until_settled()
        further = {index for index in range(run.events, end) if wide.rule_of(self.seed, index) == "subjects"}
        self.assert_arrived(before | newly | further, "after further events")
        self.assert_it_is_known(newly)

        end = self.disturb(end)
        rows = self.assert_it_is_known(newly)
        if run.trim:
            self.trim(rows, end)
        print(f"seed {self.seed}: {run.events} events under a narrow policy, {len(newly)} planned and crossed later, {run.further} "
              f"further; {run.changes} changes, {run.cuts} cuts, {run.kills} kills of each; who-got of {len(rows)} events agrees: "
              f"{self.told}", flush=True)

    def disturb(self, first):
        """Publishes while policies change, links are cut and gateways die; the next index."""
        run = self.run_as
        chunk = 100
        steps = [self.change] * run.changes + [self.cut] * run.cuts + [self.kill] * run.kills
        self.random.shuffle(steps)
        for step in steps:
            publisher = self.start(self.publisher(first, first + chunk, rate=1000))
            step()
            self.finish(publisher)
            first += chunk
        self.wait_until_settled(timeout=8 * harness.PATIENCE_S)
        return first

    def change(self):
        self.put_in_force(Gate.any(self.random))

    def cut(self):
        self.forwarder.cut(self.random.choice([0, 0.1, 0.5]))

    def kill(self):
        for domain in self.random.sample([self.alpha, self.beta], 2):
            domain.kill()
            time.sleep(self.random.choice([0, 0.1]))
            domain.start()

    def assert_it_is_known(self, replayed):
        rows = self.verdicts(self.alpha)
        crossed = self.assert_one_version_each(rows, replayed)
        gates = sorted(self.gates.items())
        for row in rows:
            index = index_of(row.id)
            if index in replayed:
                self.assertEqual((row.state, row.replayed), ("accepted", "1"), row)
        # What the wide policy would no longer let cross had crossed before.
        self.assertEqual(len(gates), len(self.gates))
        self.assert_arrived(crossed, "all")
        self.told = dict(self.assert_counts_agree(rows))
        return rows

    def trim(self, rows, end):
        """Retention removes the events; what became of them stays known."""
        policy_harness.configure(self.alpha, "  retention_bytes: 1\n")
        # Retention removes closed files of the log: these events are the last that it may.
        for number in range(3):
            event = harness.cdevent(f"ballast-{number}", padding="x" * 900_000)
            self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=json.dumps(event)))
        last = max(row.sequence for row in rows)

        def trimmed():
            status = self.assert_run(self.alpha.cdgate("status", "-o", "json")).json()
            return int(status["first_sequence"]) > last
        harness.wait_until(trimmed, "retention removes the events", timeout=180 + 2 * harness.PATIENCE_S)
        self.wait_until_settled()
        after = self.verdicts(self.alpha, last=last)
        self.assertEqual({row.trimmed for row in after}, {"1"})
        for old, new in zip(rows, after):
            self.assertEqual(new._replace(trimmed=old.trimmed), old)
        everything = self.verdicts(self.alpha)
        self.assert_counts_agree(everything)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--further", type=int, default=2000)
    parser.add_argument("--changes", type=int, default=5)
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--trim", action="store_true")
    parser.add_argument("--seed", type=int, default=None)
    options, rest = parser.parse_known_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(3), "little")
    print(f"policy_plan_test.py {vars(options)}", flush=True)
    PlanTest.run_as = options
    harness.main(rest)


if __name__ == "__main__":
    main()
