#!/usr/bin/env python3
"""Events cross while both gateways are killed and the connection between them is cut.

    chaos_test.py [--events N] [--kills N] [--cuts N] [--seed N]

A publisher in alpha publishes N events of ten types and repeats, with the same ids,
what was not acknowledged when its gateway died. Meanwhile each gateway is killed with
-9 `--kills` times, the connection between them is cut `--cuts` times and the subscriber
in beta is killed `--kills` times, all at random moments. In the end the subscriber, which resumes
from its own position, must have each event that the policies allow exactly once, in
order and with its content, and no other.
"""
import argparse
import os
import random
import subprocess
import time

import harness

# As in chaos_events.cc: of the ten types, in its order, the first six cross.
TYPES = 10
ALLOWED_TYPES = 6
MASK = (1 << 64) - 1


def mix(seed, index):
    """Of chaos_events.cc."""
    value = (seed * 0x9E3779B97F4A7C15 + index) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def crosses(seed, index):
    return ((index + mix(seed, index // 10)) & MASK) % TYPES < ALLOWED_TYPES


class Chaos:
    """What is done to the domains, in an order and at times that the seed decides."""

    def __init__(self, test, random_source):
        self.test = test
        self.domains = test.domains
        self.random = random_source

    def steps(self, kills, cuts):
        steps = [self.kill_alpha, self.kill_beta, self.kill_subscriber] * kills + [self.cut] * cuts
        self.random.shuffle(steps)
        return steps

    def run(self, steps, seconds):
        """Takes about so many seconds, so that publishing and chaos end together."""
        began = time.monotonic()
        for left, step in zip(range(len(steps), 0, -1), steps):
            rest = max(0.0, began + seconds - time.monotonic())
            time.sleep(self.random.uniform(0, 2 * rest / left))
            print(f"{time.monotonic() - began:6.2f} s  {step.__name__}", flush=True)
            step()
        print(f"{time.monotonic() - began:6.2f} s  end", flush=True)

    def kill_alpha(self):
        self._kill(self.domains.alpha)

    def kill_beta(self):
        self._kill(self.domains.beta)

    def kill_subscriber(self):
        self.test.restart_subscriber()

    def cut(self):
        self.test.forwarder.cut(self.random.choice([0, 0.1, 0.5]))

    def _kill(self, domain):
        domain.kill()
        time.sleep(self.random.choice([0, 0.1, 0.5]))
        domain.start()


class ChaosTest(harness.DomainsTest):
    via = harness.Forwarder
    plan = None  # of the command line

    def setUp(self):
        self.random = random.Random(self.plan.seed)
        self.allowed = [i for i in range(self.plan.events) if crosses(self.plan.seed, i)]
        self.subscriber = None
        self.publisher = None

    def tearDown(self):
        for process in (self.publisher, self.subscriber):
            if process and process.poll() is None:
                process.kill()
                process.wait()
                process.stdout.close()

    def restart_subscriber(self):
        """Kills the subscriber where one runs; the next goes on from its file."""
        if self.subscriber:
            self.subscriber.kill()
            self.subscriber.wait()
            self.subscriber.stdout.close()
        self.subscriber = self.start_client(self.domains.beta.client(
            "subscribe", "--seed", self.plan.seed, "--out", self.path("received"), "--until", self.allowed[-1],
            identity="subscriber"))

    def start_client(self, argv):
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def finish(self, process, name):
        out, _ = process.communicate(timeout=4 * harness.PATIENCE_S)
        self.assertEqual(process.returncode, 0, f"the {name} gave up: {out}")
        return out.strip()

    def received(self, path):
        """(sequence, index) of each line of a subscriber's file."""
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()[1:]
        foreign = [line for line in lines if not line.split()[1].isdigit()]
        self.assertEqual(foreign, [], "events that were not published, or not as published")
        return [(int(line.split()[0]), int(line.split()[1])) for line in lines]

    def test_each_allowed_event_crosses_once_and_in_order(self):
        plan = self.plan
        self.restart_subscriber()
        self.publisher = self.start_client(self.domains.alpha.client(
            "publish", "--seed", plan.seed, "--count", plan.events, "--window", 1024,
            "--rate", max(1, int(plan.events / plan.seconds)), "--burst", self.random.choice([1, 10, 200]),
            identity="publisher"))
        chaos = Chaos(self, self.random)
        chaos.run(chaos.steps(plan.kills, plan.cuts), plan.seconds)
        print("publisher:", self.finish(self.publisher, "publisher"), "link connections:", self.forwarder.connections)
        ended = time.monotonic()
        self.finish(self.subscriber, "subscriber")
        print(f"everything had arrived {time.monotonic() - ended:.1f} s later, of which the subscriber waited 1.5 s")
        self.assert_received_in_beta()
        self.assert_log_of_alpha()

    def assert_received_in_beta(self):
        received = self.received(self.path("received"))
        sequences = [sequence for sequence, _ in received]
        self.assertEqual(sequences, sorted(set(sequences)), "sequences repeat or go back")
        indexes = [index for _, index in received]
        self.assertEqual(sorted(set(indexes) - set(self.allowed)), [], "crossed against the policies")
        self.assertEqual(sorted(set(self.allowed) - set(indexes)), [], "lost")
        self.assertEqual(indexes, self.allowed, "repeated or out of order")

    def assert_log_of_alpha(self):
        """Each event is in alpha's log once, in the order of publishing."""
        path = self.path("alpha")
        self.finish(self.start_client(self.domains.alpha.client(
            "subscribe", "--seed", self.plan.seed, "--out", path, "--until", self.plan.events - 1,
            identity="subscriber")), "reader of alpha")
        self.assertEqual([index for _, index in self.received(path)], list(range(self.plan.events)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=3000)
    parser.add_argument("--kills", type=int, default=2, help="of each gateway and of the subscriber")
    parser.add_argument("--cuts", type=int, default=2, help="of the connection between the gateways")
    parser.add_argument("--seconds", type=float, default=10, help="over which the events are published")
    parser.add_argument("--seed", type=int, default=None)
    options, rest = parser.parse_known_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(4), "little")
    print(f"chaos_test.py --events {options.events} --kills {options.kills} --cuts {options.cuts} "
          f"--seconds {options.seconds:g} --seed {options.seed}", flush=True)
    ChaosTest.plan = options
    harness.main(rest)


if __name__ == "__main__":
    main()
