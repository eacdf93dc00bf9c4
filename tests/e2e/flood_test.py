#!/usr/bin/env python3
"""Floods cost those who make them, and nobody else much.

    flood_test.py [--pairs N] [--seconds S] [--only TEXT]

Two domains run in a network namespace of their own; attackers with valid certificates come from
another one, in a cgroup that holds them to half a core and to what others leave, so that what is
measured is what the gateway does about them and not what they take from the machine. For each flood an innocent service publishes one event after the other,
in N pairs of a quiet time and a flooded one: the median of the flooded p99 is at most 1.5 times that
of the quiet ones, or 5 ms more. The gateway's memory stays within the bound that
docs/security.md states.

Needs root. Without arguments of its own it begins anew in a namespace.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

import harness
import policy_harness

HERE = os.path.dirname(os.path.abspath(__file__))
HOSTILE = os.path.join(HERE, "hostile.py")
PUBLISH = "/cdgate.events.v1.EventsService/PublishStream"
SUBSCRIBE = "/cdgate.events.v1.EventsService/Subscribe"
NAMES = ("cdgate-flooded", "cdgate-floods")
GATEWAY, ATTACKERS = "10.213.0.1", "10.213.0"  # .2 and up
CGROUP = "/sys/fs/cgroup/cpu/cdgate-floods"
MOST_MEMORY = 1 << 30
RATE = 100  # innocent calls a second

# SubscribeRequest: start { from { earliest: true } max_outstanding_events: 10000 auto_ack: true }
EVERYTHING = "0a091a02080120904e3801"

# name, attack, options, how many attackers
FLOODS = [
    ("10,000 connections", "connections", ["--count", "2500"], 4),
    ("silent connections", "silent", ["--count", "2500"], 4),
    ("rapid reset", "rapid-reset", [], 2),
    ("header flood", "endless-headers", [], 2),
    ("frame flood", "window-updates", [], 2),
    ("ping flood", "pings", [], 2),
    ("slow readers", "slow-readers", ["--count", "50", "--path", SUBSCRIBE, "--message", EVERYTHING], 2),
]


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def make_network():
    for name in NAMES:
        subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    ip("link", "add", "cdg0", "netns", NAMES[0], "type", "veth", "peer", "name", "cdg1", "netns", NAMES[1])
    ip("-n", NAMES[0], "addr", "add", f"{GATEWAY}/24", "dev", "cdg0")
    for host in range(2, 12):
        ip("-n", NAMES[1], "addr", "add", f"{ATTACKERS}.{host}/24", "dev", "cdg1")
    for name, device in zip(NAMES, ("cdg0", "cdg1")):
        ip("-n", name, "link", "set", device, "up")
    os.makedirs(CGROUP, exist_ok=True)
    for name, value in (("cpu.cfs_quota_us", 50000), ("cpu.shares", 2)):  # of 100,000; of 1,024 for each other
        with open(f"{CGROUP}/{name}", "w", encoding="ascii") as file:
            file.write(str(value))


def remove_network():
    for name in NAMES:
        subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
    if os.path.isdir(CGROUP):
        os.rmdir(CGROUP)


class FloodTest(harness.DomainsTest):
    plan = None  # of the command line

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        alpha = cls.domains.alpha
        policy_harness.stop(alpha)
        path = os.path.join(alpha.dir, "gateway.yaml")
        text = re.sub(r"(\n  (?:api|peers|ingress): \"?)127\.0\.0\.1:", r"\g<1>0.0.0.0:", alpha.config())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        alpha.start()

    def setUp(self):
        self.events = 0
        self.attackers = []

    def tearDown(self):
        self.end_flood()

    def flood(self, attack, options, count):
        port = self.domains.alpha.api.rpartition(":")[2]
        for host in range(2, 2 + count):
            self.attackers.append(subprocess.Popen(
                ["sh", "-c", f"echo $$ > {CGROUP}/cgroup.procs; exec \"$@\"", "sh", "nsenter",
                 f"--net=/run/netns/{NAMES[1]}", sys.executable, "-B", HOSTILE, attack, "--target", f"{GATEWAY}:{port}",
                 "--identity", self.domains.alpha.identity("subscriber"), "--path", PUBLISH,
                 "--source", f"{ATTACKERS}.{host}", "--seconds", "600", *options],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def again(self, attack, options, count):
        """Attackers whose connections were ended come again."""
        for attacker in [a for a in self.attackers if a.poll() is not None]:
            self.attackers.remove(attacker)
        self.flood(attack, options, count - len(self.attackers))

    def end_flood(self):
        for attacker in self.attackers:
            attacker.kill()
            attacker.wait()
        self.attackers = []

    def measure(self):
        """p99 in ms of an innocent service that calls for a while."""
        first, self.events = self.events, self.events + int(RATE * self.plan.seconds)
        result = self.assert_run(harness.run(self.domains.alpha.client(
            "latency", "--seed", 1, "--first", first, "--count", self.events, "--rate", RATE, identity="publisher")))
        return result.json()["p99_ms"]

    def measure_flooded(self, attack, options, count):
        self.flood(attack, options, count)
        time.sleep(1)
        flooded = self.measure()
        self.again(attack, options, count)
        self.end_flood()
        return flooded

    def try_flood(self, name, attack, options, count):
        quiet, flooded = [], []
        for _ in range(self.plan.pairs):
            quiet.append(self.measure())
            flooded.append(self.measure_flooded(attack, options, count))
        before, during = statistics.median(quiet), statistics.median(flooded)
        with open(f"/proc/{self.domains.alpha.pid()}/status", encoding="utf-8") as file:
            peak = int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) * 1024
        print(f"{name}: p99 {before:.2f} ms quiet, {during:.2f} ms flooded, median of {self.plan.pairs} pairs; "
              f"at most {peak >> 20} MiB", flush=True)
        self.assertLessEqual(during, max(1.5 * before, before + 5), name)
        self.assertLess(peak, MOST_MEMORY)

    def test_nobody_else_notices(self):
        for name, attack, options, count in FLOODS:
            if self.plan.only not in name:
                continue
            with self.subTest(name):
                self.try_flood(name, attack, options, count)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--only", default="", help="floods whose name has this")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if not options.inside and harness.BINARY:
        if os.geteuid() != 0 or not os.path.isdir("/sys/fs/cgroup/cpu"):
            print("flood_test.py needs root and the cpu cgroup", file=sys.stderr)
            return 2
        make_network()
        try:
            return subprocess.run(["ip", "netns", "exec", NAMES[0], sys.executable, "-B", *sys.argv, "--inside"],
                                  check=False).returncode
        finally:
            remove_network()
    FloodTest.plan = options
    return harness.main(rest)


if __name__ == "__main__":
    sys.exit(main())
