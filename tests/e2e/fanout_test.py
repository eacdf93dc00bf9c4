#!/usr/bin/env python3
"""Many live subscribers with filters of their own: each has its events, all of them, once and in order.

    fanout_test.py [--subscribers N] [--rate R] [--seconds S] [--measured]

Each event is for one in 97 of the subscribers. Prints how long they took from when they were confirmed to their
publisher, what processor time the gateway spent, and by how much it grew for each subscriber; nothing is asked of
these here.
"""
import argparse
import json
import os
import random
import subprocess

import harness

CLIENT = os.environ.get("CDGATE_E2E_FANOUT", "")
STREAMS_A_CONNECTION = 40


class FanoutTest(harness.DomainsTest):
    plan = None

    def usage(self):
        """Seconds of processor time that the gateway spent, and bytes that it holds."""
        pid = self.domains.alpha.pid()
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")

    def test_each_has_its_events(self):
        plan, alpha = self.plan, self.domains.alpha
        _, before = self.usage()
        client = subprocess.Popen(
            [CLIENT, "--gateway", alpha.api, "--publisher", alpha.identity("publisher"), "--subscriber",
             alpha.identity("subscriber"), "--subscribers", str(plan.subscribers), "--connections",
             str(-(-plan.subscribers // STREAMS_A_CONNECTION)), "--rate", str(plan.rate), "--count", str(plan.rate * plan.seconds),
             "--seed", str(plan.seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(client.kill)
        self.assertEqual(client.stdout.readline(), "ready\n")
        spent, ready = self.usage()
        said, _ = client.communicate("go\n", timeout=4 * harness.PATIENCE_S)
        spent = self.usage()[0] - spent
        result = json.loads(said)
        print(f"{plan.subscribers} subscribers, {plan.rate} events/s, {result['deliveries']} deliveries: p50 {result['p50_ms']:.1f} ms, "
              f"p99 {result['p99_ms']:.1f} ms, to the last of an event's p99 {result['last_p99_ms']:.1f} ms; {spent:.1f} s of processor "
              f"time; {(ready - before) / plan.subscribers / 1024:.0f} KiB a subscriber with its share of a connection", flush=True)
        self.assertEqual((result["wrong"], result["missing"], client.returncode), (0, 0, 0), said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscribers", type=int, default=200)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 24))
    parser.add_argument("--measured", action="store_true", help="by the release build, with nothing beside it")
    FanoutTest.plan, rest = parser.parse_known_args()
    print(f"seed {FanoutTest.plan.seed}")
    harness.main(rest)
