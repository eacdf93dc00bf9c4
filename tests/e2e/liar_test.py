#!/usr/bin/env python3
"""A gateway that lies to its peer: nothing false is taken, and what it did is known.

alpha and beta are peers, and gamma is beta's. Between beta and gamma stands the liar (liar.cc), with
beta's keys and its attestor: what it says is signed as beta would sign it."""
import base64
import datetime
import json
import os
import subprocess
import time

import harness
import three_domains

LIAR = os.environ.get("CDGATE_E2E_LIAR", "")
OWN = "/beta/ci"


def moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat().replace("+00:00", "Z")


class LiarTest(three_domains.Chain):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        argv = [LIAR, "--listen-as", cls.beta.identity("gateway"), "--attestor", cls.beta.identity("attestor"),
                "--to", cls.beta.address("peers"), "--domain", "beta.example", "--as", cls.gamma.identity("gateway")]
        cls.liar = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.port = json.loads(cls.liar.stdout.readline())["port"]
        cls.peer_set("--endpoint", f"127.0.0.1:{cls.port}", "--dial", "yes", "--source", "/beta/%")
        cls.send_on(links="KEEP", terms={"onward": 2})

    @classmethod
    def tearDownClass(cls):
        cls.liar.kill()
        cls.liar.wait()
        cls.liar.stdin.close()
        cls.liar.stdout.close()
        super().tearDownClass()

    @classmethod
    def peer_set(cls, *arguments):
        result = cls.gamma.cdgate("peer", "set", "beta.example", *arguments)
        assert result.code == 0, str(result)

    def setUp(self):
        self.give(links="KEEP")
        self.lie("")
        # An operator's change: what was held against the peer is forgotten.
        self.peer_set("--purpose", self.id())
        self.publish(self.alpha, harness.cdevent(f"true-{self._testMethodName}"))
        self.arrived(self.gamma, f"true-{self._testMethodName}")
        self.log_from = len(self.gamma.log())

    def lie(self, name):
        self.liar.stdin.write(name + "\n")
        self.liar.stdin.flush()
        self.assertEqual(json.loads(self.liar.stdout.readline()), {"lie": name})

    def told(self):
        return self.gamma.log()[self.log_from:]

    def assert_refused(self, lie, reason, at=None, event_id=None, **event):
        """That of an event itself; the link goes on."""
        event_id = event_id or f"lie-{lie}"
        before = self.refused(self.gamma, reason)
        self.lie(lie)
        self.publish(at or self.alpha, harness.cdevent(event_id, **event))
        harness.wait_until(lambda: self.refused(self.gamma, reason) > before, f"gamma refuses {lie}: {reason}")
        self.lie("")
        self.publish(self.alpha, harness.cdevent(f"{event_id}-after"))
        [first] = self.subscribe(self.gamma, 1, f"{event_id}%")
        self.assertEqual(self.data(first)["context"]["id"], f"{event_id}-after")

    def assert_link_ends(self, lie, reason, *batches):
        """Nothing is taken of what comes then; without the lie, the truth is."""
        self.lie(lie)
        ids = []
        for batch in batches or (["lie"],):
            ids += [f"{name}-{lie}" for name in batch]
            events = [harness.cdevent(f"{name}-{lie}", fact="truth") for name in batch]
            if events:
                self.publish(self.alpha, *events)
        harness.wait_until(lambda: reason in self.told(), f"gamma ends the link: {reason}")
        self.lie("")
        for event_id in ids:
            self.assertEqual(self.data(self.arrived(self.gamma, event_id))["customData"], {"fact": "truth"})

    # --- about an event

    def test_another_content(self):
        self.assert_refused("content", "attestation_invalid", fact="truth")

    def test_wider_terms(self):
        self.assert_refused("terms", "attestation_invalid")

    def test_another_plane(self):
        self.assert_refused("plane", "attestation_invalid")

    def test_another_time(self):
        self.assert_refused("time", "attestation_invalid")

    def test_no_statement_of_the_origin(self):
        self.assert_refused("statement", "attestation_unproven")

    def test_what_it_says_in_the_name_of_another(self):
        self.assert_refused("origin", "attestation_unproven", at=self.beta, source=OWN)

    def test_what_another_said_as_its_own(self):
        self.assert_refused("own", "source_not_owned")

    def test_what_it_writes_where_the_origin_wrote_a_pseudonym(self):
        self.give(links="KEEP", pseudonymise=["customData.who"])
        self.assert_refused("substitute", "attestation_invalid", who="somebody")

    def test_two_events_under_one_identity_are_told_on_both_sides(self):
        self.publish(self.beta, harness.cdevent("lie-before", source=OWN, fact="first"))
        self.arrived(self.gamma, "lie-before")
        self.lie("identity")
        self.publish(self.beta, harness.cdevent("lie-second", source=OWN, fact="other"))
        harness.wait_until(lambda: "identity_conflict" in self.beta.cdgate("who-got", "lie-second").out,
                           "beta is told of the conflict")
        letters = self.assert_run(self.gamma.cdgate("peer", "dead-letters", "beta.example", "-o", "json")).out
        self.assertIn("identity_conflict", letters)
        [event] = self.subscribe(self.gamma, 1, "lie-before")
        self.assertEqual(self.data(event)["customData"], {"fact": "first"})

    # --- about the link

    def test_events_left_out_after_they_were_announced(self):
        self.assert_link_ends("drop", "position_gap")

    def test_the_same_events_again(self):
        self.assert_link_ends("replay", "position_gap")

    def test_events_in_another_order(self):
        self.assert_link_ends("reorder", "position_gap", ["lie-1"], ["lie-2"])

    def test_events_in_another_order_than_it_signed(self):
        self.assert_link_ends("swap", "attestation_invalid", ["lie-1", "lie-2"])

    # --- before anything is said of it

    def commitment(self, event_id):
        proof = self.assert_run(self.alpha.cdgate("get", event_id, "--proof", identity="subscriber")).json()
        return base64.b64decode(proof["event"]["commitment"]).hex()

    def count(self, since, until, code):
        """What gamma says of what alpha accepted in between, once that is old enough to be asked about."""
        harness.wait_until(lambda: time.time() > until + 10.5, "the while is old enough")
        result = self.gamma.cdgate("peer", "count", "alpha.example", "--from", moment(since), "--until", moment(until),
                                   "-o", "json")
        self.assertEqual(result.code, code, str(result))
        return result.json()

    def test_what_was_never_announced_is_counted_and_named(self):
        began = time.time()
        self.publish(self.alpha, *[harness.cdevent(f"honest-{i}") for i in range(3)])
        self.arrived(self.gamma, "honest-2")
        turned = time.time()
        self.lie("withhold")
        self.publish(self.alpha, harness.cdevent("told-1"), harness.cdevent("lie-kept-1"), harness.cdevent("told-2"))
        self.publish(self.alpha, harness.cdevent("lie-kept-2"))
        self.publish(self.alpha, harness.cdevent("told-3"))
        self.arrived(self.gamma, "told-3")
        ended = time.time()
        self.lie("")
        self.assertNotIn("link down", self.told())  # nothing of the link shows it

        honest = self.count(began, turned, 0)
        self.assertEqual([honest[name] for name in ("origin", "through", "count", "held", "missing")],
                         ["alpha.example", "beta.example", 3, 3, 0])
        answer = self.count(turned, ended, 1)
        self.assertEqual([answer[name] for name in ("count", "held", "refused", "missing")], [5, 3, 0, 2])
        self.assertEqual(answer["missing_commitments"],
                         sorted(self.commitment(name) for name in ("lie-kept-1", "lie-kept-2")))
        self.assertEqual(self.gamma.metrics()['cdgate_origin_events_missing{origin="alpha.example"}'], 2)
        self.assertIn("events of an origin never came", self.told())
        table = self.gamma.cdgate("peer", "count", "alpha.example", "--from", moment(turned), "--until", moment(ended))
        self.assertIn(answer["missing_commitments"][0], table.out)

    # --- about the link's frames

    def test_frames_that_do_not_belong_there(self):
        self.assert_link_ends("protocol", "protocol_error", [])


if __name__ == "__main__":
    harness.main()
