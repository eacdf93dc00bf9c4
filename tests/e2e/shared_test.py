#!/usr/bin/env python3
"""Three workers on a shared subscription, killed at random with their gateway.

    shared_test.py [--events N] [--kills N] [--seed N] [--workers cpp|node]

The workers are those of deploy/examples, in C++ or Node. While a publisher publishes N events, a worker is
killed -9 at random moments and started again, and the gateway a third as often. Each event is done
by one of them; none comes again after it was confirmed; what comes again says so (`attempt`). Events
that a worker gives back again and again end in the dead letters, and are done once they are redriven
to workers that do not.
"""
import argparse
import json
import os
import random
import re
import subprocess
import time

import harness

WORKER = os.environ.get("CDGATE_EXAMPLE_WORKER", "")
WORKERS = 3
FAIL_EVERY = 97
ATTEMPTS = 5
NAME = "workers"


class Worker:
    """One worker, and what it wrote over all of its lives, each line with the moment it was seen."""

    def __init__(self, program, domain, path, fail_every):
        self.program, self.domain, self.path, self.fail_every = program, domain, path, fail_every
        self.start()

    def start(self):
        self.file = open(self.path, "ab")
        self.process = subprocess.Popen(
            [*self.program, "--gateway", self.domain.api, "--identity", self.domain.identity("subscriber"), "--subscription", NAME,
             "--outstanding", "50", "--fail-every", str(self.fail_every)],
            stdin=subprocess.DEVNULL, stdout=self.file, stderr=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.file.close()
        with open(self.path, "r+b") as file:  # a line that was cut off was not written
            text = file.read()
            file.truncate(text.rfind(b"\n") + 1)

    def lines(self):
        with open(self.path, encoding="utf-8") as file:
            return [line.split() for line in file.read().splitlines()]


class SharedTest(harness.DomainsTest):
    plan = None

    def make(self, *options):
        self.assert_run(self.domain.cdgate(
            "subscription", "create", NAME, "--shared", "--from", "earliest", *options, identity="subscriber"))

    def show(self):
        return json.loads(self.assert_run(
            self.domain.cdgate("subscription", "show", NAME, "-o", "json", identity="subscriber")).out)

    def is_settled(self, events):
        status = self.show()
        return status["position"] >= events and status["lag"] == 0 and status["pending"] == 0

    def letters(self):
        result = self.domain.cdgate("subscription", "dead-letters", NAME, "-o", "json", identity="subscriber")
        return {int(letter["event"]["sequence"]): letter["message"]
                for letter in json.loads(self.assert_run(result).out)["dead_letters"]}

    def setUp(self):
        self.domain = self.domains.alpha
        self.random = random.Random(self.plan.seed)
        self.workers = []

    def tearDown(self):
        for worker in self.workers:
            worker.kill()

    def start_workers(self, fail_every):
        start = len(self.workers)
        self.workers += [Worker(self.program(), self.domain, self.path(f"worker-{fail_every}-{start + i}"), fail_every)
                         for i in range(WORKERS)]

    def program(self):
        if self.plan.workers == "cpp":
            return [WORKER]
        return ["env", f"CDGATE_PROTO={harness.ROOT}/proto", "node",
                os.path.join(harness.install_node_example("node"), "worker.mjs")]

    def chaos(self, publisher):
        for left in range(self.plan.kills, 0, -1):
            time.sleep(self.random.uniform(0.2, 1.0))
            if left % 3 == 0:
                print("gateway killed", flush=True)
                self.domain.kill()
                self.domain.start()
            else:
                worker = self.random.choice(self.workers)
                print("worker killed", flush=True)
                worker.kill()
                worker.start()
        self.assertEqual(publisher.wait(timeout=4 * harness.PATIENCE_S), 0)

    def check(self, workers, events):
        """Each sequence's deliveries over all workers."""
        got, done = {}, {}
        for worker in workers:
            here = set()
            for line in worker.lines():
                if line[0] == "got":
                    got.setdefault(int(line[1]), []).append(int(line[2]))
                    self.assertNotIn(int(line[1]), here, "an event came again after it was confirmed")
                else:
                    here.add(int(line[1]))
            done.update(dict.fromkeys(here, True))
        for sequence, attempts in got.items():
            firsts = attempts.count(1)
            self.assertLessEqual(firsts, 1, f"event {sequence} was twice delivered as if for the first time: {attempts}")
        again = sum(len(attempts) - 1 for attempts in got.values())
        print(f"{len(got)} events delivered, {again} of them again, {len(done)} done", flush=True)
        self.assertEqual(set(got), set(range(1, events + 1)))
        return got, done

    def test_every_event_is_done(self):
        events = self.plan.events
        self.make("--max-attempts", str(ATTEMPTS), "--ack-deadline", "10s", "--min-backoff", "100ms", "--max-backoff", "1s")
        self.start_workers(FAIL_EVERY)
        publisher = subprocess.Popen(
            self.domain.client("publish", "--seed", self.plan.seed, "--count", events, "--rate", self.plan.rate,
                               identity="publisher"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.chaos(publisher)
        harness.wait_until(lambda: self.is_settled(events), "all is done with")
        total = self.show()["position"]
        got, done = self.check(self.workers, total)
        letters = self.letters()
        poison = {sequence for sequence in got if sequence % FAIL_EVERY == 0}
        self.assertEqual(set(letters), poison)
        for sequence in poison:
            # A worker may be killed before it has written what it got.
            self.assertGreaterEqual(int(re.match(r"delivered (\d+) times", letters[sequence])[1]), ATTEMPTS)
            self.assertNotIn(sequence, done)
        # What was acknowledged just before a kill may be done without having been confirmed.
        self.assertGreaterEqual(len(done) + len(poison), total - 50 * WORKERS * self.plan.kills)
        self.redrive(poison)

    def redrive(self, poison):
        for worker in self.workers:
            worker.kill()
        self.workers = []
        self.start_workers(0)
        result = self.domain.cdgate("subscription", "redrive", NAME, "--all", identity="subscriber")
        self.assertIn(f"redriven {len(poison)} dead letters", self.assert_run(result).out)

        def all_done():
            return poison <= {int(line[1]) for worker in self.workers for line in worker.lines() if line[0] == "done"}
        harness.wait_until(all_done, "what was redriven is done")
        self.assertEqual(self.letters(), {})
        attempts = [int(line[2]) for worker in self.workers for line in worker.lines() if line[0] == "got"]
        self.assertTrue(all(attempt > 1 for attempt in attempts))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=400)
    parser.add_argument("--workers", choices=("cpp", "node"), default="cpp")
    parser.add_argument("--kills", type=int, default=9)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 24))
    SharedTest.plan, rest = parser.parse_known_args()
    print(f"seed {SharedTest.plan.seed}")
    harness.main(rest)
