#!/usr/bin/env python3
"""What domains tell each other of what they offer, and how one asks for more. beta dials alpha and
cannot be dialled: everything goes over the one link."""
import json
import os
import re

import harness
import policy_harness
from policy_harness import import_rule

NAMED = "dev.cdevents.build.finished.0.2.0"
GIVEN = "dev.cdevents.service.deployed.0.2.0"
SECRET = "dev.cdevents.pipelinerun.started.0.2.0"
ASKED = "dev.cdevents.service.upgraded.0.2.0"

EXPORTS = [
    {"name": "not-this", "when": "source = '/alpha/secret'", "action": "DENY"},
    {"name": "denied-anyway", "when": f"type = '{NAMED}' AND source = '/alpha/secret'", "action": "ALLOW"},
    {"name": "builds", "when": f"type = '{NAMED}' AND source IN ('/alpha/named', '/alpha/other')", "action": "ALLOW"},
    {"name": "deployments", "when": f"type LIKE '{GIVEN[:-5]}%'", "action": "ALLOW"},
]


class CatalogueTest(policy_harness.PolicyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alpha, cls.beta = cls.domains.alpha, cls.domains.beta
        result = cls.alpha.cdgate("peer", "set", "beta.example", "--endpoint", "")
        assert result.code == 0, str(result)
        cls.put(cls.alpha, {"kind": "policy", "peer": "beta.example", "export": {"rules": EXPORTS}})
        cls.put(cls.beta, {"kind": "policy", "peer": "alpha.example",
                           "import": {"rules": [import_rule("all", "TRUE")]}})

    @staticmethod
    def put(domain, policy):
        result = domain.cdgate("policy", "apply", "-", "--unplanned", input=json.dumps(policy) + "\n")
        assert result.code == 0, str(result)

    def publish(self, name, kind, source):
        event = harness.cdevent(name, kind=kind.removeprefix("dev.cdevents."), source=source)
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=json.dumps(event)))

    def told(self, *options):
        """(type, source) that beta was told, and whether one was given."""
        answer = self.beta.cdgate("catalogue", "alpha.example", "-o", "json", *options)
        self.assertIn(answer.code, (0, 1), str(answer))
        return {(offer["type"], offer.get("source", "")): "lastGiven" in offer or "last_given" in offer
                for offer in answer.json().get("offers", [])}

    def requests(self, domain):
        return self.assert_run(domain.cdgate("access", "list", "-o", "json")).json().get("requests", [])

    def request(self, domain, number):
        [found] = [request for request in self.requests(domain) if request["id"] == number] or [None]
        return found

    def ask(self, kind, *options, reason="joint release"):
        made = self.beta.cdgate("access", "request", "alpha.example", "--type", kind, "--reason", reason, "-o", "json",
                                *options)
        number = self.assert_run(made).json()["id"]
        harness.wait_until(lambda: self.request(self.alpha, number), "alpha learns of the request")
        return number

    def wait_for_state(self, number, state):
        def reached():
            found = self.request(self.beta, number)
            return found and found["state"].endswith(state) and found
        return harness.wait_until(reached, f"beta learns that it is {state}")

    # ------------------------------------------------------------------ catalogues

    def test_a_peer_is_told_what_it_was_given_and_what_a_rule_names(self):
        self.publish("given-1", GIVEN, "/alpha/deploy")
        self.publish("secret-1", GIVEN, "/alpha/secret")
        self.subscribe(self.beta, 1, "given-1")
        expected = {(GIVEN, "/alpha/deploy"): True, (NAMED, "/alpha/named"): False, (NAMED, "/alpha/other"): False}
        harness.wait_until(lambda: self.told() == expected, "beta is told")
        ours = self.assert_run(self.alpha.cdgate("catalogue", "-o", "json")).json()["offers"]
        self.assertEqual({(entry["peer"], entry["type"], entry["source"], entry.get("rule", "")) for entry in ours},
                         {("beta.example", GIVEN, "/alpha/deploy", ""), ("beta.example", NAMED, "/alpha/named", "builds"),
                          ("beta.example", NAMED, "/alpha/other", "builds")})
        table = self.assert_run(self.beta.cdgate("catalogue", "alpha.example")).out
        self.assertIn("/alpha/named", table)
        self.assertNotIn("secret", table)

        # What was given is remembered over a crash.
        given = os.path.join(self.alpha.dir, "data", "given", "beta.example.pb")
        harness.wait_until(lambda: os.path.exists(given), "it is on disk")
        self.alpha.kill()
        self.alpha.start()
        self.domains.wait_for_link()
        self.assertIn("/alpha/deploy", self.assert_run(self.alpha.cdgate("catalogue")).out)
        harness.wait_until(lambda: self.told() == expected, "beta is told again")

    def test_what_is_not_there_and_what_is_not_for_us_look_alike(self):
        self.publish("secret-2", GIVEN, "/alpha/secret")
        harness.wait_until(lambda: self.told(), "beta is told something")
        hidden = self.beta.cdgate("catalogue", "alpha.example", "--type", GIVEN, "--source", "/alpha/secret")
        absent = self.beta.cdgate("catalogue", "alpha.example", "--type", "no.such.type", "--source", "/no/such")
        self.assertEqual((hidden.code, hidden.out, hidden.err), (absent.code, absent.out, absent.err))
        self.assertEqual(hidden.code, 1)
        self.assertEqual(self.told("--type", SECRET), {})
        found = self.beta.cdgate("catalogue", "alpha.example", "--type", NAMED)
        self.assertEqual(found.code, 0, str(found))

    # -------------------------------------------------------------------- requests

    def test_access_is_asked_for_planned_approved_and_given(self):
        number = self.ask(ASKED, "--source", "/alpha/deploy")
        shown = self.assert_run(self.alpha.cdgate("access", "list")).out
        self.assertIn("joint relea", shown)
        # It is as pending for what is not there.
        self.assertEqual(self.request(self.beta, number)["state"], self.request(self.beta, self.ask("no.such"))["state"])

        planned = self.assert_run(self.alpha.cdgate("access", "approve", f"beta.example/{number}"))
        self.assertIn("newly cross", planned.out)
        plan = re.search(r"cdgate policy apply --plan (\w+)", planned.out).group(1)
        self.assertTrue(self.request(self.alpha, number)["state"].endswith("PENDING"))
        self.assert_run(self.alpha.cdgate("policy", "apply", "--plan", plan))
        approved = self.assert_run(self.alpha.cdgate("access", "approve", number[:8], "--reason", "welcome"))
        self.assertIn("approved", approved.out)
        self.assertEqual(self.wait_for_state(number, "APPROVED")["answer"], "welcome")
        harness.wait_until(lambda: (ASKED, "/alpha/deploy") in self.told(), "the catalogue names it")
        self.publish("asked-1", ASKED, "/alpha/deploy")
        self.subscribe(self.beta, 1, "asked-1")
        audited = self.assert_run(self.alpha.cdgate("audit", "export")).out
        self.assertIn("ApproveAccess", audited)

    def test_a_request_can_be_applied_denied_and_taken_back(self):
        number = self.ask(ASKED, "--source", "/alpha/at-once")
        self.assert_run(self.alpha.cdgate("access", "approve", number, "--apply"))
        self.wait_for_state(number, "APPROVED")
        refused = self.alpha.cdgate("access", "deny", number)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("was approved", refused.err)

        number = self.ask(SECRET)
        self.assert_run(self.alpha.cdgate("access", "deny", number, "--reason", "not before the release"))
        self.assertEqual(self.wait_for_state(number, "DENIED")["answer"], "not before the release")
        self.assert_run(self.beta.cdgate("access", "withdraw", number))
        harness.wait_until(lambda: not self.request(self.alpha, number), "alpha forgets it")

    def test_a_rule_before_that_denies_is_said_so(self):
        number = self.ask(NAMED, "--source", "/alpha/secret")
        refused = self.alpha.cdgate("access", "approve", number, "--apply")
        self.assertNotEqual(refused.code, 0)
        self.assertIn("no export rule for beta.example names the type", refused.err)
        again = self.alpha.cdgate("access", "approve", number)
        self.assertNotEqual(again.code, 0)
        self.assertIn("a rule before it decides", again.err)

    # ------------------------------------------------------------------- bad input

    def test_bad_input_is_named(self):
        def fails(domain, message, *arguments):
            result = domain.cdgate(*arguments)
            self.assertNotEqual(result.code, 0, str(result))
            self.assertIn(message, result.err)
        ask = ("access", "request", "alpha.example", "--type")
        fails(self.beta, "there is no peer nobody.example", "catalogue", "nobody.example")
        fails(self.beta, "there is no peer nobody.example", "access", "request", "nobody.example", "--type", "t",
              "--reason", "r")
        fails(self.beta, "--reason", *ask, "t")
        fails(self.beta, "type: has 256 bytes", *ask, "t" * 256, "--reason", "r")
        fails(self.beta, "reason: has 501 bytes", *ask, "t", "--reason", "r" * 501)
        fails(self.beta, "reason: has control characters", *ask, "t", "--reason", "\x1b[31mred")
        fails(self.beta, "reason: is missing", *ask, "t", "--reason", "")
        fails(self.alpha, "there is no request 0123456789abcdef", "access", "approve", "0123456789abcdef")
        fails(self.alpha, "4 or more digits", "access", "deny", "01")
        number = self.ask("twice")
        fails(self.beta, f"the request {number} asks alpha.example for the same", *ask, "twice", "--reason", "r")
        fails(self.beta, "there is no request", "access", "approve", number)
        result = self.beta.cdgate("access", "list", identity="publisher")
        self.assertNotEqual(result.code, 0)
        self.assertIn("not_granted", result.err.lower())


if __name__ == "__main__":
    harness.main()
