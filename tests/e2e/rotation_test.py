#!/usr/bin/env python3
"""Leaf, intermediate and root of both domains change under load, and nobody is dropped.

    rotation_test.py [--rate N] [--seconds N] [--seed N]

A publisher in alpha publishes N events a second on one stream, a subscriber in beta reads what
crosses on one stream. Meanwhile each domain renews its gateway's leaf, takes another issuing CA,
and goes over to another root: the next root joins the bundle, reaches the peer over the link,
issues, and the old one leaves. In the end each allowed event has arrived once and in order, no
stream and no link broke, and who shows a certificate of the old root is refused.
"""
import argparse
import json
import os
import shutil
import ssl
import subprocess
import time

import harness
from chaos_test import crosses

# Whose certificates somebody renews; the gateway's attestor is taken over when it changes.
OTHERS = ("admin", "publisher", "subscriber", "attestor")


class RotationTest(harness.DomainsTest):
    plan = None  # of the command line

    @classmethod
    def prepare(cls, directory):
        """Each CA has an intermediate that issues."""
        for short in ("alpha", "beta"):
            ca = os.path.join(directory, short, "ca")
            os.makedirs(os.path.dirname(ca))
            result = harness.run([harness.BINARY, "ca", "init", f"{short}.example", "--intermediate", "--ca", ca])
            if result.code != 0:
                raise AssertionError(str(result))

    def setUp(self):
        self.processes = []
        self.domains.wait_for_link()

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()

    def start(self, argv):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def finish(self, process, name):
        out, _ = process.communicate(timeout=4 * harness.PATIENCE_S)
        self.assertEqual(process.returncode, 0, f"the {name} gave up: {out}")
        return out.strip()

    def ca(self, domain, *arguments):
        self.assert_run(harness.run([harness.BINARY, "ca", *arguments, "--ca", domain.ca()]))

    def trust(self, at, of):
        trust = self.assert_run(at.cdgate("trust", "list", "-o", "json")).json()
        return next(d for d in trust["domains"] if d["domain"] == of.name)

    def renew(self, domain):
        """The gateway's leaf; it is in use when this returns."""
        def serial():
            shown = self.assert_run(harness.run([harness.BINARY, "cert", "show", domain.identity("gateway"), "-o", "json"]))
            return json.dumps(shown.json())
        before = serial()
        loaded = domain.log().count("certificate reloaded")
        self.assert_run(harness.run([harness.BINARY, "cert", "renew", domain.identity("gateway"), "--ca", domain.ca()]))
        self.assertNotEqual(serial(), before)
        harness.wait_until(lambda: domain.log().count("certificate reloaded") > loaded, "the leaf is taken")
        with open(os.path.join(domain.identity("gateway"), "tls.crt"), encoding="ascii") as file:
            leaf = file.read().split("-----END")[0]
        for listener in ("api", "peers"):
            host, _, port = domain.address(listener).rpartition(":")
            harness.wait_until(lambda: ssl.get_server_certificate((host, int(port))).startswith(leaf),
                               f"{listener} shows the leaf")

    def give_bundle(self, domain):
        """The CA's bundle as it is now to the gateway and everybody else."""
        for name in ("gateway", *OTHERS):
            path = os.path.join(domain.identity(name), "bundle.pem")
            shutil.copy(os.path.join(domain.ca(), "bundle.pem"), f"{path}.new")
            os.rename(f"{path}.new", path)

    def change_root(self, domain, other):
        self.ca(domain, "rotate")
        self.give_bundle(domain)
        for at in (domain, other):
            harness.wait_until(lambda at=at: len(self.trust(at, domain)["roots"]) == 2, f"{at.short} trusts both roots")
        self.ca(domain, "rotate", "--switch")
        self.renew(domain)
        old = os.path.join(self.dir, f"old-{domain.short}")
        shutil.copytree(domain.identity("subscriber"), old)
        for name in OTHERS:
            self.assert_run(harness.run([harness.BINARY, "cert", "renew", domain.identity(name), "--ca", domain.ca()]))
        self.ca(domain, "rotate", "--retire", "--force")
        self.give_bundle(domain)
        for at in (domain, other):
            harness.wait_until(lambda at=at: len(self.trust(at, domain)["roots"]) == 1, f"{at.short} trusts the new root alone")
        self.assertEqual(len(self.trust(other, domain)["retired"]), 1)
        return old

    def link(self, domain, peer):
        return self.assert_run(domain.cdgate("peer", "show", peer.name, "-o", "json")).json()["link"]

    def cuts(self):
        """Connections that a gateway ended, but for those of the command line's own end."""
        return {(domain.short, name): value for domain in (self.domains.alpha, self.domains.beta)
                for name, value in domain.metrics().items() if name.startswith("cdgate_rpc_connections_cut_total")}

    def assert_refused(self, domain, identity):
        """A certificate of the root that was retired is of no use for a new connection."""
        shutil.copy(os.path.join(domain.identity("admin"), "bundle.pem"), os.path.join(identity, "bundle.pem"))
        result = harness.run([harness.BINARY, "subscribe", "--max", "1", "--from", "earliest", "--gateway", domain.api,
                              "--identity", identity], timeout=20)
        self.assertNotEqual(result.code, 0, str(result))

    def test_everything_is_rotated_and_nothing_lost(self):
        plan = self.plan
        alpha, beta = self.domains.alpha, self.domains.beta
        events = plan.rate * plan.seconds
        allowed = [i for i in range(events) if crosses(plan.seed, i)]
        subscriber = self.start(beta.client("subscribe", "--seed", plan.seed, "--out", self.path("received"),
                                            "--until", allowed[-1], identity="subscriber"))
        publisher = self.start(alpha.client("publish", "--seed", plan.seed, "--count", events, "--rate", plan.rate,
                                            identity="publisher"))
        since, cuts, began = self.link(beta, alpha)["since"], self.cuts(), time.monotonic()
        for domain in (alpha, beta):
            self.renew(domain)
            self.ca(domain, "rotate", "--intermediate")
            self.renew(domain)
        old = {domain: self.change_root(domain, other) for domain, other in ((alpha, beta), (beta, alpha))}
        print(f"rotated leaf, intermediate and root of both in {time.monotonic() - began:.1f} s", flush=True)
        self.assertIsNone(publisher.poll(), "the load ended before the rotation: publish for longer")
        published = json.loads(self.finish(publisher, "publisher"))
        self.finish(subscriber, "subscriber")
        print("publisher:", published)
        self.assertEqual((published["published"], published["duplicates"], published["streams"]), (events, 0, 1))
        with open(self.path("received"), encoding="utf-8") as file:
            indexes = [line.split()[1] for line in file.read().splitlines()[1:]]
        self.assertEqual(indexes, [str(i) for i in allowed], "lost, repeated or out of order")
        self.assertEqual(self.link(beta, alpha)["since"], since, "the link broke")
        self.assertEqual(self.cuts(), cuts, "a connection was cut")
        for domain, identity in old.items():
            self.assert_refused(domain, identity)
            self.assert_run(domain.cdgate("status"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=1000, help="events a second")
    parser.add_argument("--seconds", type=int, default=40, help="for which events are published")
    parser.add_argument("--seed", type=int, default=None)
    options, rest = parser.parse_known_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(4), "little")
    print(f"rotation_test.py --rate {options.rate} --seconds {options.seconds} --seed {options.seed}", flush=True)
    RotationTest.plan = options
    harness.main(rest)


if __name__ == "__main__":
    main()
