#!/usr/bin/env python3
"""Hostile clients with valid certificates against a real gateway: each attack of
hostile.py ends, the gateway's memory stays bounded, and meanwhile an innocent publisher's
events are acknowledged and cross, on one stream that never breaks, in what time the machine
allows.

The attackers come from addresses of their own, 127.0.0.2 and up, as gateways hold an
attack against the address it comes from.
"""
import json
import os
import re
import subprocess
import sys

import harness
from chaos_test import crosses

HOSTILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hostile.py")
PUBLISH = "/cdgate.events.v1.EventsService/PublishStream"
LINK = "/cdgate.federation.v1.FederationService/Link"
EVENTS = 100  # of the innocent publisher during each attack
RATE = 100  # of them a second
MOST_GROWTH = 200 << 20

ON_API = [("rapid-reset", []), ("open-flood", []), ("endless-headers", []), ("late-giant-header", []),
          ("many-giant-messages", []), ("window-updates", []), ("pings", []), ("empty-data", []),
          ("trickled-header-frame", []), ("silent", ["--count", "50"]), ("connections", ["--count", "2000"])]
ON_PEERS = [("rapid-reset", []), ("endless-headers", []), ("giant-message", []), ("unknown-frames", []),
            ("trickled-headers", [])]


class HostileTest(harness.DomainsTest):
    def setUp(self):
        self.domains.wait_for_link()
        self.before = self.domains.alpha.resident_bytes()

    def attack(self, number, name, listener, identity, path, options):
        """Starts an attack on alpha from an address of its own."""
        return subprocess.Popen(
            [sys.executable, "-B", HOSTILE, name, "--target", self.domains.alpha.address(listener), "--identity", identity,
             "--path", path, "--source", f"127.0.0.{number}", "--seconds", str(harness.PATIENCE_S), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def publish(self, seed):
        alpha = self.domains.alpha
        return harness.run(alpha.client("publish", "--seed", seed, "--count", EVENTS, "--rate", RATE, identity="publisher"))

    def arrived(self, seed):
        """Indexes of the run's events in beta, in order, once the last has come."""
        allowed = [i for i in range(EVENTS) if crosses(seed, i)]
        path = self.path(f"received-{seed}")
        self.assert_run(harness.run(self.domains.beta.client(
            "subscribe", "--seed", seed, "--out", path, "--until", allowed[-1], "--linger-ms", 100, identity="subscriber")))
        with open(path, encoding="utf-8") as file:
            indexes = [line.split()[1] for line in file.read().splitlines()[1:]]
        return [int(index) for index in indexes if index != "?"], allowed

    def try_attack(self, number, name, *arguments):
        with self.attack(number, name, *arguments) as attacker:
            innocent = self.assert_run(self.publish(number)).json()
            report, _ = attacker.communicate(timeout=2 * harness.PATIENCE_S)
        self.assertEqual(attacker.returncode, 0, f"the gateway put up with it: {report}")
        self.assertEqual(innocent["streams"], 1, "the innocent stream broke")
        indexes, allowed = self.arrived(number)
        self.assertEqual(indexes, allowed)
        return json.loads(report)

    def assert_memory_is_bounded(self):
        with open(f"/proc/{self.domains.alpha.pid()}/status", encoding="utf-8") as file:
            peak = int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) * 1024
        print(f"memory: {self.before >> 20} MiB before, {peak >> 20} MiB at the most")
        if os.environ.get("CDGATE_E2E_SANITIZED") != "1":
            self.assertLess(peak - self.before, MOST_GROWTH)

    def test_services_that_attack_are_ended(self):
        identity = self.domains.alpha.identity("publisher")
        for number, (name, options) in enumerate(ON_API, 2):
            with self.subTest(name):
                print(self.try_attack(number, name, "api", identity, PUBLISH, options))
        self.assert_memory_is_bounded()

    def test_a_peer_that_attacks_is_ended(self):
        """With the peer's own key, next to its link, which goes on."""
        identity = self.path("peer")
        os.makedirs(identity, exist_ok=True)
        for name, origin in (("tls.crt", self.domains.beta), ("tls.key", self.domains.beta), ("bundle.pem", self.domains.alpha)):
            os.symlink(os.path.join(origin.identity("gateway"), name), os.path.join(identity, name))
        for number, (name, options) in enumerate(ON_PEERS, 102):
            with self.subTest(name):
                print(self.try_attack(number, name, "peers", identity, LINK, options))
        self.assert_memory_is_bounded()


if __name__ == "__main__":
    harness.main()
