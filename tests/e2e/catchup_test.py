#!/usr/bin/env python3
"""A link that was down catches up while new events flow: nothing is lost or repeated, and what is new
hardly notices.

    catchup_test.py [--backlog N] [--pairs N] [--seconds S] [--rate N] [--settle S] [--measured]

alpha has beta and gamma as peers. The link to beta is cut while a backlog grows; then it comes back,
while new events go from alpha to gamma at a steady rate. With --measured the latency of these is
compared, in pairs of a quiet time and one beside the catching up (the link is cut between them): the
median of the p99 is at most 1.5 times that of the quiet times, or 5 ms more, from `--settle` seconds
after the link came back among new events. Prints a line of JSON."""
import argparse
import json
import subprocess
import time

import harness
import policy_harness
import three_domains
from policy_harness import rule
from three_domains import EVERYTHING, policy

SEED = 20260207  # of the backlog


class CatchupTest(three_domains.Crossing):
    via = harness.Forwarder

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gamma.peer_with(cls.alpha)
        policy_harness.configure(cls.beta, "links: {max_backoff: 1s}\n")  # it comes back at once
        # Not the way that is cut.
        result = cls.gamma.cdgate("peer", "set", "alpha.example", "--endpoint", cls.alpha.address("peers"))
        assert result.code == 0, str(result)
        cls.put(cls.alpha, policy("beta.example", exports=[rule("backlog", f"id LIKE 'chaos-{SEED}-%'", links="KEEP")]))
        cls.put(cls.alpha, policy("gamma.example", exports=[rule("new", f"id LIKE 'chaos-{cls.seed}-%'", links="KEEP")]))
        for domain in (cls.beta, cls.gamma):
            cls.put(domain, policy("alpha.example", imports=EVERYTHING))

    def received(self):
        """Events that beta committed since its gateway started."""
        return int(self.beta.metrics().get('cdgate_link_events_total{direction="import",peer="alpha.example"}', 0))

    def reconnect(self):
        self.before, self.began = self.received(), time.monotonic()
        self.forwarder.forward_to(self.alpha.address("peers"))
        harness.wait_until(lambda: self.received() > self.before, "the backlog moves")

    def test_nothing_is_lost_and_what_is_new_goes_first(self):
        journal = self.path("beta.journal")
        subscriber = subprocess.Popen(self.beta.client(
            "subscribe", "--seed", SEED, "--out", journal, "--until", self.plan.backlog - 1, identity="subscriber"))
        self.forwarder.forward_to("127.0.0.1:1")  # refused
        self.forwarder.cut()
        self.assert_run(harness.run(self.alpha.client("publish", "--seed", SEED, "--count", self.plan.backlog, "--window", 4096,
                                                      identity="publisher"), timeout=900))
        time.sleep(11 if self.plan.measured else 0)  # until it is all backlog
        quiet, beside, caught_up, took = [], [], 0, 0
        for _ in range(self.plan.pairs):
            quiet.append(self.cross())
            beside.append(self.cross(self.reconnect))
            caught_up += self.received() - self.before
            took += time.monotonic() - self.began
            left = self.plan.backlog - self.received()
            self.forwarder.forward_to("127.0.0.1:1")
            self.forwarder.cut()
        # The rest beside new events, too.
        if left > 0:
            self.cross(self.reconnect)
        while self.received() < self.plan.backlog:
            self.cross()
        self.assertEqual(subscriber.wait(timeout=harness.PATIENCE_S), 0)
        self.assert_complete(journal)
        row = {"backlog": self.plan.backlog, "rate": self.plan.rate, "quiet_p99_ms": quiet, "beside_p99_ms": beside,
               "left": left, "caught_up_ev_s": round(caught_up / took)}
        print(json.dumps(row), flush=True)
        if self.plan.measured:
            self.assertGreater(left, 0, "the backlog was through before the measurement was")
        self.assert_hardly_slower(quiet, beside)

    def assert_complete(self, journal):
        """Each event of the backlog once, in order, as it was published."""
        with open(journal, encoding="ascii") as file:
            lines = file.read().splitlines()[1:]
        indexes = [line.split()[1] for line in lines]
        backlog = [int(index) for index in indexes if index.isdigit()]
        self.assertEqual(len(backlog), self.plan.backlog)
        self.assertEqual(backlog, list(range(self.plan.backlog)))
        self.assertNotIn("!", indexes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--backlog", type=int, default=20_000)
    three_domains.add_plan(parser)
    CatchupTest.plan, rest = parser.parse_known_args()
    harness.main(rest)
