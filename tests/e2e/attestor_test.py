#!/usr/bin/env python3
"""The keys by which gateways sign what they say of events: shown, renewed under way, refused where
they are for something else, and of no use to connect with.
"""
import hashlib
import json
import os
import shutil
import ssl

import harness
from bad_input_test import envelope
from harness import cdevent


class AttestorTest(harness.DomainsTest):
    def setUp(self):
        self.alpha = self.domains.alpha

    def list(self):
        return self.assert_run(self.alpha.cdgate("attestor", "list", "-o", "json")).json().get("attestors", [])

    def in_place(self):
        """The key id of the attestor on disk."""
        with open(os.path.join(self.alpha.identity("attestor"), "tls.crt"), encoding="ascii") as file:
            leaf = file.read().split("-----END")[0] + "-----END CERTIFICATE-----\n"
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf)).hexdigest()

    def issue(self, name, folder):
        self.assert_run(harness.run([harness.BINARY, "cert", "issue", name, "--ca", self.alpha.ca(), "--out", folder]))

    def install(self, folder):
        """What is in `folder` as the gateway's attestor, key before certificate."""
        for name in ("tls.key", "tls.crt"):
            path = os.path.join(self.alpha.identity("attestor"), name)
            shutil.copy(os.path.join(folder, name), f"{path}.new")
            os.rename(f"{path}.new", path)

    def problems(self):
        return json.dumps(self.assert_run(self.alpha.cdgate("status", "-o", "json")).json())

    def known(self, key_id):
        return next((attestor for attestor in self.list() if attestor["key_id"] == key_id), None)

    def test_1_ours_is_listed_and_shown(self):
        key_id = self.in_place()
        listed = self.known(key_id)
        self.assertEqual((listed["domain"], listed["spiffe_id"], listed["own"]),
                         ("alpha.example", "spiffe://alpha.example/attestor/gw1", True))
        self.assertIn("VALID", listed["state"])
        table = self.assert_run(self.alpha.cdgate("attestor", "list")).out
        self.assertIn(key_id[:12], table)
        shown = self.assert_run(self.alpha.cdgate("attestor", "show", key_id[:8])).out
        self.assertIn(f"key id      {key_id}", shown)
        self.assertIn("BEGIN CERTIFICATE", shown)
        unknown = self.alpha.cdgate("attestor", "show", "0" * 64)
        self.assertNotEqual(unknown.code, 0)
        self.assertIn("no attestor's key id begins with", unknown.err)

    def test_2_a_renewed_one_is_taken_over_while_the_gateway_runs(self):
        first, pid = self.in_place(), self.alpha.pid()
        self.assert_run(harness.run([harness.BINARY, "cert", "renew", self.alpha.identity("attestor"), "--ca",
                                     self.alpha.ca(), "--valid", "30d"]))
        second = self.in_place()
        self.assertNotEqual(second, first)
        harness.wait_until(lambda: self.known(second), "the renewed attestor is in use")
        self.assertIn("attestor reloaded", self.alpha.log())
        self.assertIn("VALID", self.known(first)["state"], "what it signed still counts")
        self.assertEqual(self.alpha.pid(), pid)
        left = self.alpha.metrics()["cdgate_attestor_expiry_timestamp_seconds"]
        self.assertLess(left, self.alpha.metrics()["cdgate_certificate_expiry_timestamp_seconds"] + 24 * 86400)

    def test_3_one_for_another_use_is_refused_and_the_last_good_one_stays(self):
        good, wrong = self.path("good"), self.path("wrong")
        shutil.copytree(self.alpha.identity("attestor"), good)
        in_use = self.in_place()
        self.addCleanup(self.install, good)
        self.issue("service/publisher", wrong)
        self.install(wrong)
        harness.wait_until(lambda: "could not be taken over" in self.problems(), "the alarm")
        self.assertIn("it is no attestor", self.problems())
        self.assertIn("credentials_invalid", self.alpha.log())
        self.assertEqual({a["key_id"] for a in self.list() if a["own"] and "VALID" in a["state"]} & {in_use}, {in_use})
        audit = self.assert_run(self.alpha.cdgate("audit", "export")).out
        self.assertIn("attestor refused", audit)
        self.install(good)
        harness.wait_until(lambda: "could not be taken over" not in self.problems(), "the alarm ends")

    def test_4_a_gateway_does_not_start_with_one_for_another_use(self):
        good, wrong = self.path("good-4"), self.path("wrong-4")
        shutil.copytree(self.alpha.identity("attestor"), good)
        self.issue("service/publisher", wrong)
        self.addCleanup(self.alpha.start)
        self.addCleanup(self.install, good)
        self.alpha.kill()
        self.install(wrong)
        config = os.path.join(self.alpha.dir, "gateway.yaml")
        refused = harness.run([harness.BINARY, "serve", "--config", config])
        self.assertNotEqual(refused.code, 0)
        self.assertIn("it is no attestor", refused.err)
        known = self.in_place()
        self.install(good)
        self.alpha.start()
        self.assertIsNone(self.known(known))
        self.assertGreaterEqual(len(self.list()), 2, "those before the start are still known")

    def test_5_nobody_connects_with_it(self):
        event = envelope(cdevent("by-an-attestor"), "by-an-attestor")
        before = self.alpha.refusals("TLS_HANDSHAKE_FAILED")
        outcome = harness.run([harness.CLIENT, "send", "--gateway", self.alpha.api, "--identity",
                               self.alpha.identity("attestor")], input=json.dumps(event) + "\n", timeout=30).json_lines()[0]
        self.assertEqual(outcome["code"], 14, outcome)  # UNAVAILABLE
        harness.wait_until(lambda: self.alpha.refusals("TLS_HANDSHAKE_FAILED") > before, "the refusal is counted")
        # The command line says so before it tries.
        told = self.alpha.cdgate("status", identity="attestor")
        self.assertNotEqual(told.code, 0)
        self.assertIn("an attestor signs statements and never connects", told.err)

    def test_6_what_is_denied_counts_no_more(self):
        key_id = self.in_place()
        self.assert_run(self.alpha.cdgate("deny", "add", "stolen", "--principal", "spiffe://alpha.example/attestor/gw1",
                                          "--reason", "a backup was lost"))
        harness.wait_until(lambda: "REFUSED" in self.known(key_id)["state"], "the denial is in force")
        self.assertEqual(self.known(key_id)["reason"], "CERTIFICATE_DENIED")
        self.assertIn(" denied\n", self.assert_run(self.alpha.cdgate("attestor", "list")).out)
        self.assert_run(self.alpha.cdgate("deny", "remove", "stolen"))
        harness.wait_until(lambda: "VALID" in self.known(key_id)["state"], "the denial has ended")

    def test_7_events_go_on_crossing(self):
        self.domains.wait_for_link()
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=json.dumps(cdevent("after-all"))))
        self.subscribe(self.domains.beta, 1, "after-all")


if __name__ == "__main__":
    harness.main()
