#!/usr/bin/env python3
"""Healthy subscribers do not notice three that are not.

    unhealthy_test.py [--pairs N] [--seconds S] [--rate R] [--measured]

99 subscribers get every event, R a second. Beside them one stops reading, one reads a byte a second and one
reconnects in a loop. All 99 have each event once and in order. With --measured the p99 of their
deliveries, from when the event was confirmed to its publisher, is compared in pairs of a time with the three and one
without: the median is at most 1.5 times that without, or 5 ms more.
"""
import argparse
import json
import os
import random
import socket
import ssl
import statistics
import struct
import subprocess
import threading
import types

import harness
import hostile

CLIENT = os.environ.get("CDGATE_E2E_FANOUT", "")
SUBSCRIBE = "/cdgate.events.v1.EventsService/Subscribe"
HEALTHY = 99
# SubscribeRequest: start { from { latest: true } max_outstanding_events: 10000 auto_ack: true }
NEW = bytes.fromhex("0a091a02100120904e3801")


class Unhealthy:
    """Three subscribers, until end()."""

    def __init__(self, domain):
        host, _, port = domain.api.rpartition(":")
        context = ssl.create_default_context(cafile=os.path.join(domain.identity("subscriber"), "bundle.pem"))
        context.check_hostname = False
        context.set_alpn_protocols(["h2"])
        context.load_cert_chain(*(os.path.join(domain.identity("subscriber"), name) for name in ("tls.crt", "tls.key")))
        # From an address of their own: a gateway takes so many new connections from one, and no more.
        self.options = types.SimpleNamespace(address=(host, int(port)), source="127.0.0.2", plain=False, tls=context)
        self.over = threading.Event()
        self.reconnects = self.bytes = 0
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (self.stop_reading, self.read_a_byte_a_second, self.reconnect)]
        for thread in self.threads:
            thread.start()

    def subscribe(self):
        """A connection on which much may come, of a stream that has begun."""
        connection = hostile.dial(self.options)
        connection.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b"\x00" + struct.pack(">I", len(NEW)) + NEW
        most = (1 << 31) - 1
        connection.sendall(
            hostile.PREFACE + hostile.frame(hostile.SETTINGS, 0, 0, struct.pack(">HI", 4, most)) +
            hostile.frame(hostile.WINDOW_UPDATE, 0, 0, struct.pack(">I", most - 65535)) +
            hostile.frame(hostile.HEADERS, hostile.END_HEADERS, 1, hostile.request_headers(SUBSCRIBE)) +
            hostile.frame(hostile.DATA, 0, 1, request))
        return connection

    def insist(self, use):
        """A gateway may end them; they come again."""
        while not self.over.is_set():
            try:
                use(self.subscribe())
            except (OSError, ssl.SSLError):
                self.over.wait(0.1)

    def stop_reading(self):
        self.insist(lambda connection: self.over.wait())

    def read_a_byte_a_second(self):
        def read(connection):
            while not self.over.wait(1):
                if not connection.plain.recv(1):
                    return
                self.bytes += 1
        self.insist(read)

    def reconnect(self):
        def once(connection):
            connection.recv(1024)
            connection.plain.close()
            self.reconnects += 1
        self.insist(once)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


class UnhealthyTest(harness.DomainsTest):
    plan = None

    def measure(self):
        """p99 in ms of the healthy ones."""
        self.plan.seed += 1
        alpha = self.domains.alpha
        result = subprocess.run(
            [CLIENT, "--gateway", alpha.api, "--publisher", alpha.identity("publisher"), "--subscriber",
             alpha.identity("subscriber"), "--subscribers", str(HEALTHY), "--connections", str(HEALTHY // 3), "--everything", "--rate",
             str(self.plan.rate), "--count", str(self.plan.rate * self.plan.seconds), "--seed", str(self.plan.seed)],
            input="go\n", stdout=subprocess.PIPE, text=True, timeout=4 * harness.PATIENCE_S, check=False)
        self.assertTrue(result.stdout.endswith("}\n"), "the subscribers did not get so far")
        said = json.loads(result.stdout.splitlines()[-1])
        self.assertEqual((said["wrong"], said["missing"], result.returncode), (0, 0, 0), result.stdout)
        return said["p99_ms"]

    def measure_beside(self):
        unhealthy = Unhealthy(self.domains.alpha)
        try:
            return self.measure()
        finally:
            unhealthy.end()
            self.assertGreater(unhealthy.reconnects, 0)
            self.assertGreater(unhealthy.bytes, 0)

    def test_the_healthy_do_not_notice(self):
        alone, beside = [], []
        for _ in range(self.plan.pairs):
            alone.append(self.measure())
            beside.append(self.measure_beside())
        before, during = statistics.median(alone), statistics.median(beside)
        print(f"p99 of {HEALTHY} subscribers {before:.2f} ms alone, {during:.2f} ms beside three that are not healthy, median of "
              f"{self.plan.pairs} pairs of {self.plan.seconds} s at {self.plan.rate} events/s", flush=True)
        if self.plan.measured:
            self.assertLessEqual(during, max(1.5 * before, before + 5))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 24))
    parser.add_argument("--measured", action="store_true", help="by the release build, with nothing beside it")
    UnhealthyTest.plan, rest = parser.parse_known_args()
    harness.main(rest)
