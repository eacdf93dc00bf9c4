#!/usr/bin/env python3
"""A peer at a hundred times its quota: it is held to it or cut off, and others do not notice.

    quota_test.py [--pairs N] [--seconds S] [--rate N] [--measured]

alpha and beta are peers of gamma, which takes 10 events a second from beta. An honest beta that has
a thousand a second to send sends them later; one that sends them all the same is cut off with
RESOURCE_EXHAUSTED and RetryInfo, and is not heard for a while when it does so again and again. All
the while events go from alpha to gamma. With --measured their latency is compared, in pairs of a
quiet time and one beside the flood: the median of the p99 is at most 1.5 times that of the quiet
times, or 5 ms more. Prints a line of JSON."""
import argparse
import json
import os
import subprocess
import time

import harness
import policy_harness
import three_domains
from policy_harness import rule
from three_domains import EVERYTHING, policy

LIAR = os.environ.get("CDGATE_E2E_LIAR", "")
QUOTA = 10
RESOURCE_EXHAUSTED = 8


class QuotaTest(three_domains.Crossing):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for domain in (cls.alpha, cls.beta):
            cls.gamma.peer_with(domain)
            cls.put(domain, policy("gamma.example", exports=[rule("all", "TRUE", links="KEEP")]))
        cls.put(cls.gamma, policy("alpha.example", imports=EVERYTHING))
        cls.put(cls.gamma, policy("beta.example", imports=EVERYTHING,
                                  import_limits={"events_per_second": QUOTA, "burst": QUOTA}))

    def agreement(self):
        peers = self.assert_run(self.gamma.cdgate("peer", "show", "beta.example", "-o", "json")).json()
        return peers["peer"]["agreement_id"]

    def flood(self, times):
        """A hundred times the quota at once, by beta's name, so many times."""
        return [LIAR, "flood", "--to", self.gamma.address("peers"), "--as", self.beta.identity("gateway"), "--trusting",
                self.gamma.identity("gateway"), "--domain", "beta.example", "--agreement", self.agreement(),
                "--events", str(100 * QUOTA), "--times", str(times)]

    def received(self):
        key = 'cdgate_link_events_total{direction="import",peer="beta.example"}'
        return int(self.gamma.metrics().get(key, 0))

    def test_a_an_honest_peer_sends_it_later(self):
        before, began = self.received(), time.monotonic()
        self.assert_run(harness.run(self.beta.client("publish", "--seed", self.seed + 1, "--count", 100 * QUOTA, identity="publisher")))
        self.cross()
        passed = time.monotonic() - began
        arrived = self.received() - before
        self.assertGreater(arrived, 0)
        self.assertLessEqual(arrived, QUOTA * (passed + 3))
        shown = self.assert_run(self.gamma.cdgate("peer", "show", "beta.example", "-o", "json")).json()
        self.assertEqual(shown["link"]["state"], "UP")

    def test_b_one_that_does_not_is_cut_off_and_then_not_heard(self):
        policy_harness.stop(self.beta)
        ends = self.assert_run(harness.run(self.flood(4))).json_lines()
        self.assertEqual([end["code"] for end in ends], [RESOURCE_EXHAUSTED] * 4)
        self.assertEqual([end["reason"] for end in ends], ["CREDIT_EXCEEDED"] * 3 + ["PEER_SUSPENDED"])
        for end in ends:
            self.assertGreater(end["retry_s"], 0)
        # The third says how long it will be.
        self.assertEqual((ends[2]["retry_s"], ends[2]["go_away_retry_s"]), (4, 4))
        self.assertLessEqual(ends[3]["retry_s"], 4)
        self.assertEqual(ends[3]["go_away"], "PEER_SUSPENDED")
        shown = self.assert_run(self.gamma.cdgate("peer", "show", "beta.example", "-o", "json")).json()["link"]
        self.assertEqual((shown["state"], shown["reason"]), ("STOPPED", "peer_suspended"))
        self.assertIn("CREDIT_EXCEEDED", shown["message"].upper())
        self.beta.start()
        harness.wait_until(lambda: self.gamma.cdgate("peer", "show", "beta.example", "-o", "json").json()["link"]["state"] == "UP",
                           "the honest gateway is heard again")

    def test_c_others_do_not_notice(self):
        policy_harness.stop(self.beta)
        quiet, beside, floods = [], [], 0
        for _ in range(self.plan.pairs):
            quiet.append(self.cross())
            flooding = subprocess.Popen(self.flood(100_000), stdout=subprocess.PIPE, text=True)
            self.assertTrue(flooding.stdout.readline())
            beside.append(self.cross())
            flooding.kill()
            floods += len(flooding.communicate()[0].splitlines())
        self.beta.start()
        print(json.dumps({"rate": self.plan.rate, "quiet_p99_ms": quiet, "beside_p99_ms": beside, "floods": floods}), flush=True)
        self.assertGreater(floods, 0)
        self.assert_hardly_slower(quiet, beside)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    three_domains.add_plan(parser)
    QuotaTest.plan, rest = parser.parse_known_args()
    harness.main(rest)
