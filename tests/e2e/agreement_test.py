#!/usr/bin/env python3
"""An agreement over its life, with real gateways: it ends while events flow and goes on where it
ended, a frozen peer gets nothing within a second, all exports are stopped, a gateway starts frozen,
and what is removed says what each side holds. Nothing is lost or repeated by any of it.

beta dials alpha; between them stands a tap that has the keys of both and writes down every frame
that alpha sends (tap.cc)."""
import json
import os
import re
import subprocess
import threading
import time

import harness
from harness import cdevent

TAP = os.environ.get("CDGATE_E2E_TAP", "")


class AgreementTest(harness.DomainsTest):
    via = harness.Forwarder

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alpha, cls.beta = cls.domains.alpha, cls.domains.beta
        cls.frames = os.path.join(cls.dir, "frames")
        os.makedirs(cls.frames)
        argv = [TAP, "--listen-as", cls.alpha.identity("gateway"), "--to", cls.alpha.address("peers"),
                "--out", cls.frames, "--as", f"beta.example={cls.beta.identity('gateway')}"]
        cls.tap = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.forwarder.forward_to(f"127.0.0.1:{json.loads(cls.tap.stdout.readline())['port']}")
        cls.forwarder.cut()
        cls.domains.wait_for_link()

    @classmethod
    def tearDownClass(cls):
        if hasattr(cls, "tap"):
            cls.tap.kill()
            cls.tap.wait()
            cls.tap.stdin.close()
            cls.tap.stdout.close()
        super().tearDownClass()

    def setUp(self):
        self.domains.wait_for_link()

    # --- what tests do and see

    def cdgate(self, domain, *arguments):
        return self.assert_run(domain.cdgate(*arguments))

    def publish(self, prefix, count):
        text = "".join(json.dumps(cdevent(f"{prefix}{number}")) + "\n" for number in range(count))
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=text))
        return [f"{prefix}{number}" for number in range(count)]

    def assert_arrived(self, prefix, ids):
        """All of them, in order, each once: beta's log has them at sequences that grow."""
        lines = self.subscribe(self.beta, len(ids), f"{prefix}%")
        self.assertEqual([line["event"]["context"]["id"] for line in lines], ids)
        self.publish(f"{prefix}-end", 1)
        lines = self.subscribe(self.beta, len(ids) + 1, f"{prefix}%")
        self.assertEqual(len({line["sequence"] for line in lines}), len(ids) + 1)
        self.assertEqual(lines[-1]["event"]["context"]["id"], f"{prefix}-end0")

    def link(self, domain, peer):
        return self.cdgate(domain, "peer", "show", peer.name, "-o", "json").json()["link"]

    def wait_for_reason(self, domain, peer, reason, timeout=None):
        return harness.wait_until(lambda: self.link(domain, peer).get("reason", "") == reason,
                                  f"{domain.name} says {reason} of {peer.name}", timeout)

    def tapped(self):
        """Bytes of frames that alpha sent so far."""
        return os.path.getsize(os.path.join(self.frames, "beta.example.frames"))

    def assert_held_back(self, event_id):
        """It has not left: beta does not have it, and alpha knows of no answer."""
        state = self.cdgate(self.alpha, "who-got", event_id, "-o", "json").json()["outcomes"][0]["state"]
        self.assertIn(state, ("waiting", "possibly_sent"))  # the latter below a horizon from before a kill
        self.assertEqual(self.beta.cdgate("who-got", event_id).code, 1)

    def problems(self, domain):
        return " ".join(self.cdgate(domain, "status", "-o", "json").json().get("problems", []))

    def keep_publishing(self, prefix):
        """Publishes until the returned function is called, which answers with what was."""
        ids, over = [], threading.Event()

        def work():
            number = 0
            while not over.is_set():
                ids.extend(self.publish(f"{prefix}{number:03}-", 20))
                number += 1
        thread = threading.Thread(target=work)
        thread.start()

        def end():
            over.set()
            thread.join()
            return ids
        return end

    # --- tests

    def test_an_agreement_ends_on_a_live_link_and_goes_on_where_it_ended(self):
        before = self.publish("life-a", 20)
        self.assert_arrived("life-a", before)
        renewed = self.cdgate(self.alpha, "peer", "renew", "beta.example", "--for", "3s", "-o", "json").json()
        end = time.time() + 3.5  # whole seconds count
        self.assertRegex(renewed["expire_time"], r"^20\d\d-")
        self.assertIn("the agreement with beta.example ends in moments", self.problems(self.alpha))
        stop = self.keep_publishing("life-b")
        self.wait_for_reason(self.beta, self.alpha, "agreement_expired", timeout=10)
        self.assertLess(time.time(), end + 5)
        ids = stop()
        # The tap sees no frame of events after that, whatever is published: GoAways alone.
        time.sleep(0.5)
        ended = self.tapped()
        ids += self.publish("life-c", 20)
        harness.wait_until(lambda: self.link(self.alpha, self.beta)["reason"] == "agreement_expired", "alpha says so, too")
        self.assertLess(self.tapped() - ended, 4096)
        self.assert_held_back("life-c0")
        self.assertIn("ended at", self.problems(self.alpha))
        self.assertIn("on the side of alpha.example", self.link(self.beta, self.alpha)["message"])
        self.assertLess(self.alpha.metrics()['cdgate_agreement_expiry_seconds{peer="beta.example"}'], 0)
        self.assertRegex(self.cdgate(self.alpha, "peer", "list").out, r"beta\.example +expired")

        self.cdgate(self.alpha, "peer", "renew", "beta.example", "--for", "365d")
        self.domains.wait_for_link()
        self.assert_arrived("life-b", [name for name in ids if name.startswith("life-b")])
        self.assert_arrived("life-c", [name for name in ids if name.startswith("life-c")])
        self.assertGreater(self.alpha.metrics()['cdgate_agreement_expiry_seconds{peer="beta.example"}'], 364 * 86400)

    def test_the_end_is_announced_in_the_log_once(self):
        self.cdgate(self.alpha, "peer", "renew", "beta.example", "--for", "6d")
        harness.wait_until(lambda: "agreement ends soon" in self.alpha.log(), "the end is announced")
        time.sleep(5)  # two turns of the upkeep
        lines = [line for line in self.alpha.log().splitlines() if "agreement ends soon" in line and "in 6 days" in line]
        self.assertEqual(len(lines), 1, lines)
        self.cdgate(self.alpha, "peer", "renew", "beta.example", "--for", "365d")
        self.assertNotIn("the agreement with", self.problems(self.alpha))

    def check_freeze(self, where, other, prefix):
        stop = self.keep_publishing(prefix)
        size = self.tapped()
        harness.wait_until(lambda: self.tapped() > size + 100_000, "events cross")
        asked = time.monotonic()
        self.cdgate(where, "peer", "freeze", other.name, "--reason", "test")
        time.sleep(max(0.0, asked + 1 - time.monotonic()))
        frozen = self.tapped()
        time.sleep(2)
        self.assertLess(self.tapped() - frozen, 4096)  # refusals of new links alone
        ids = stop()
        self.wait_for_reason(where, other, "frozen")
        self.wait_for_reason(other, where, "frozen")
        self.cdgate(where, "peer", "resume", other.name)
        self.domains.wait_for_link()
        self.assert_arrived(prefix, ids)

    def test_a_frozen_peer_gets_nothing_within_a_second(self):
        self.check_freeze(self.alpha, self.beta, "freeze-a")

    def test_a_peer_that_freezes_us_gets_nothing_within_a_second(self):
        self.check_freeze(self.beta, self.alpha, "freeze-b")

    def test_all_exports_are_stopped_within_a_second_and_imports_go_on(self):
        stop = self.keep_publishing("stop")
        size = self.tapped()
        harness.wait_until(lambda: self.tapped() > size + 100_000, "events cross")
        asked = time.monotonic()
        self.addCleanup(self.alpha.cdgate, "export", "resume", "--all")
        out = self.cdgate(self.alpha, "export", "stop", "--all", "--reason", "leak suspected").out
        self.assertIn("stopped", out)
        time.sleep(max(0.0, asked + 1 - time.monotonic()))
        stopped = self.tapped()
        time.sleep(2)
        self.assertLess(self.tapped() - stopped, 4096)  # heartbeats alone
        ids = stop()
        self.wait_for_reason(self.beta, self.alpha, "exports_stopped")
        self.assertIn("leak suspected", self.problems(self.alpha))
        self.assertIn("user/admin", self.cdgate(self.alpha, "export", "status").out)
        self.assertEqual(self.alpha.metrics()["cdgate_exports_stopped"], 1)
        # A restart changes nothing.
        self.alpha.kill()
        self.alpha.start()
        self.domains.wait_for_link()
        self.wait_for_reason(self.beta, self.alpha, "exports_stopped")
        self.cdgate(self.alpha, "export", "resume", "--all")
        self.assert_arrived("stop", ids)
        self.assertNotIn("stopped", self.problems(self.alpha))
        harness.wait_until(lambda: not self.link(self.beta, self.alpha).get("reason"), "beta knows")

    def test_a_gateway_that_starts_frozen_makes_no_link_until_it_is_resumed(self):
        self.alpha.kill()
        self.alpha.start_behind(options=["--frozen"])
        self.addCleanup(self.alpha.cdgate, "export", "resume", "--all")
        self.alpha.wait_until_it_serves()
        ids = self.publish("cold", 20)
        self.wait_for_reason(self.beta, self.alpha, "frozen")
        self.assertIn("started frozen", self.problems(self.alpha))
        self.assertIn("--frozen", self.cdgate(self.alpha, "export", "status").out)
        self.assert_held_back("cold0")
        self.cdgate(self.alpha, "export", "resume", "--all")
        self.assert_arrived("cold", ids)
        self.assertNotIn("frozen", self.problems(self.alpha))

    def test_z_removing_says_what_each_side_holds_and_the_other_side_is_told(self):
        """Last: the agreement is gone afterwards."""
        self.assert_arrived("removal", self.publish("removal", 5))
        given = self.cdgate(self.alpha, "peer", "remove", "beta.example").out
        self.assertRegex(given, r"it holds +\d+ events of ours, from 20\S+Z to 20\S+Z\n")
        self.assertRegex(given, r"we hold +0 events of its\n")
        shown = harness.wait_until(lambda: self.link(self.beta, self.alpha)["reason"] == "no_agreement" and
                                   self.link(self.beta, self.alpha), "beta is told")
        self.assertRegex(shown["message"], r"^alpha\.example ended the agreement at 20")
        self.assertIn("alpha.example ended the agreement", self.problems(self.beta))
        time.sleep(2)  # dialling fails in the handshake meanwhile, and hides nothing
        self.assertEqual(self.link(self.beta, self.alpha)["reason"], "no_agreement")
        received = self.cdgate(self.beta, "peer", "remove", "alpha.example").out
        self.assertRegex(received, r"we hold +\d+ events of its, from 20\S+Z to 20\S+Z\n")
        counts = [int(re.search(pattern, text).group(1)) for pattern, text in
                  ((r"it holds +(\d+)", given), (r"we hold +(\d+)", received))]
        # Acks that a kill or a freeze cut off are not counted as given.
        self.assertGreater(counts[0], 0)
        self.assertLessEqual(counts[0], counts[1])


if __name__ == "__main__":
    harness.main()
