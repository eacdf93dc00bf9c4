#!/usr/bin/env python3
"""A reader of an ordered subscription, killed at random with its gateway.

    ordered_test.py [--events N] [--kills N] [--seed N]

The reader is deploy/examples/node/worker.mjs. While a publisher publishes N events, the reader is
killed -9 at random moments and started again, and so is the gateway. Each life of the reader has its
events in the order of the log and without a gap, from right behind what was acknowledged; nothing
comes again after it was confirmed; and together they have everything.
"""
import argparse
import json
import os
import random
import subprocess
import time

import harness

NAME = "reader"


class Reader:
    """Its lives: what each wrote, a list of words for each line."""

    def __init__(self, domain, folder, path):
        self.domain, self.folder, self.path = domain, folder, path
        self.lives = 0
        self.start()

    def start(self):
        self.lives += 1
        with open(f"{self.path}-{self.lives}", "wb") as file:
            self.process = subprocess.Popen(
                ["node", os.path.join(self.folder, "worker.mjs"), "--gateway", self.domain.api, "--identity",
                 self.domain.identity("subscriber"), "--subscription", NAME, "--outstanding", "50"],
                env={**os.environ, "CDGATE_PROTO": os.path.join(harness.ROOT, "proto")}, stdin=subprocess.DEVNULL,
                stdout=file, stderr=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def lines(self, life):
        with open(f"{self.path}-{life}", encoding="utf-8") as file:
            text = file.read()
        return [line.split() for line in text[:text.rfind("\n") + 1].splitlines()]  # without one that was cut off


class OrderedTest(harness.DomainsTest):
    plan = None

    def setUp(self):
        self.domain = self.domains.alpha
        self.random = random.Random(self.plan.seed)
        folder = harness.install_node_example("node")
        self.assert_run(self.domain.cdgate("subscription", "create", NAME, "--from", "earliest", identity="subscriber"))
        self.reader = Reader(self.domain, folder, self.path("reader"))
        self.addCleanup(self.reader.kill)

    def chaos(self, publisher):
        for left in range(self.plan.kills, 0, -1):
            time.sleep(self.random.uniform(0.3, 1.5))
            if left % 3 == 0:
                print("gateway killed", flush=True)
                self.domain.kill()
                self.domain.start()
            else:
                print("reader killed", flush=True)
                self.reader.kill()
                self.reader.start()
        self.assertEqual(publisher.wait(timeout=4 * harness.PATIENCE_S), 0)

    def is_settled(self, events):
        status = json.loads(self.assert_run(
            self.domain.cdgate("subscription", "show", NAME, "-o", "json", identity="subscriber")).out)
        return status["position"] >= events and status["lag"] == 0

    def check_life(self, lines, confirmed, got):
        """`confirmed`: before it began. Returns what is confirmed behind it; adds to `got`."""
        last = None
        for line in lines:
            sequence = int(line[1])
            if line[0] == "done":
                confirmed = max(confirmed, sequence)
                continue
            if last is not None and sequence != last + 1:  # the gateway began a stream anew
                self.assertLessEqual(sequence, last, "a gap")
            self.assertGreater(sequence, confirmed, "it came again after it was confirmed")
            # What a killed reader had no time to write was delivered all the same.
            self.assertTrue(sequence not in got or int(line[2]) > 1, f"{sequence} came again as if for the first time")
            self.assertTrue(sequence == 1 or sequence - 1 in got, f"{sequence} came before what is before it")
            got.add(sequence)
            last = sequence
        return confirmed

    def test_strict_order(self):
        events = self.plan.events
        publisher = subprocess.Popen(
            self.domain.client("publish", "--seed", self.plan.seed, "--count", events, "--rate", self.plan.rate,
                               identity="publisher"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(publisher.kill)
        self.chaos(publisher)
        harness.wait_until(lambda: self.is_settled(events), "all is acknowledged")
        got, confirmed, deliveries = set(), 0, 0
        for life in range(1, self.reader.lives + 1):
            lines = self.reader.lines(life)
            deliveries += sum(line[0] == "got" for line in lines)
            confirmed = self.check_life(lines, confirmed, got)
        print(f"{len(got)} events in {self.reader.lives} lives, {deliveries - len(got)} of them again, confirmed through {confirmed}",
              flush=True)
        self.assertGreaterEqual(len(got), events)
        self.assertEqual(got, set(range(1, max(got) + 1)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=400)
    parser.add_argument("--kills", type=int, default=9)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 24))
    OrderedTest.plan, rest = parser.parse_known_args()
    print(f"seed {OrderedTest.plan.seed}")
    harness.main(rest)
