#!/usr/bin/env python3
"""Many live subscribers with filters of their own: each has its events, all of them, once and in order.

    fanout_test.py [--subscribers N] [--rate R] [--seconds S] [--idle N] [--measured]

Each event is for one in 97 of the subscribers. Prints how long they took from when they were confirmed to their
publisher, what processor time the gateway spent, and by how much it grew for each subscriber; nothing is asked of
these here. With --idle the same again beside so many named subscriptions that nobody reads by: by how much the
gateway grows for each of them, how long it takes to start with them, and that all are there then.
"""
import argparse
import json
import os
import random
import re
import subprocess
import time

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
        self.run_client(0)
        if self.plan.idle > 0:
            self.beside_idle()

    def beside_idle(self):
        idle, alpha = self.plan.idle, self.domains.alpha
        before = self.usage()[1]
        self.run_client(idle)
        made = self.usage()[1]
        alpha.kill()
        began = time.monotonic()
        alpha.start()
        took = time.monotonic() - began
        there = self.names()
        print(f"{idle} idle subscriptions: {(made - before) / idle / 1024:.1f} KiB each, with what {self.plan.subscribers} "
              f"subscribers left; the gateway starts with them in {took:.1f} s", flush=True)
        self.assertEqual(len(there & {f"idle-{n}" for n in range(idle)}), idle)
        self.plan.seed += 1
        self.run_client(0)

    def names(self):
        """Of all subscriptions."""
        listed = self.domains.alpha.cdgate("subscription", "list", "-o", "json", timeout=harness.PATIENCE_S)
        self.assertEqual(listed.code, 0, str(listed))
        return set(re.findall(r'"name": *"(idle-[0-9]+)"', listed.out))

    def run_client(self, idle):
        plan, alpha = self.plan, self.domains.alpha
        _, before = self.usage()
        client = subprocess.Popen(
            [CLIENT, "--gateway", alpha.api, "--publisher", alpha.identity("publisher"), "--subscriber",
             alpha.identity("subscriber"), "--subscribers", str(plan.subscribers), "--connections",
             str(-(-plan.subscribers // plan.streams)), "--rate", str(plan.rate), "--count", str(plan.rate * plan.seconds),
             *(["--everything"] if plan.everything else []), "--seed", str(plan.seed + (1 << 24 if idle else 0)), "--idle", str(idle)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(client.kill)
        self.assertEqual(client.stdout.readline(), "ready\n")
        spent, ready = self.usage()
        said, _ = client.communicate("go\n", timeout=4 * harness.PATIENCE_S)
        spent = self.usage()[0] - spent
        result = json.loads(said)
        beside = f" beside {idle} idle ones" if idle else ""
        print(f"{plan.subscribers} subscribers{beside}, {plan.rate} events/s, {result['deliveries']} deliveries: p50 {result['p50_ms']:.1f} ms, "
              f"p99 {result['p99_ms']:.1f} ms, to the last of an event's p99 {result['last_p99_ms']:.1f} ms; {spent:.1f} s of processor "
              f"time; {(ready - before) / plan.subscribers / 1024:.0f} KiB a subscriber with its share of a connection", flush=True)
        self.assertEqual((result["wrong"], result["missing"], client.returncode), (0, 0, 0), said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscribers", type=int, default=200)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--streams", type=int, default=STREAMS_A_CONNECTION, help="on a connection")
    parser.add_argument("--everything", action="store_true", help="every subscriber has every event")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 24))
    parser.add_argument("--measured", action="store_true", help="by the release build, with nothing beside it")
    FanoutTest.plan, rest = parser.parse_known_args()
    print(f"seed {FanoutTest.plan.seed}")
    harness.main(rest)
