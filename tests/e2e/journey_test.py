#!/usr/bin/env python3
"""What the quickstart sets up works as its README says: what both policies allow crosses,
with who sent it and by which rule, and who-got explains what did and what did not."""
import json
import re

import harness
from harness import cdevent


class JourneyTest(harness.DomainsTest):
    def publish(self, *events):
        alpha = self.domains.alpha
        text = "".join(json.dumps(event) + "\n" for event in events)
        return self.assert_run(alpha.cdgate("publish", "-", identity="publisher", input=text))

    def who_got(self, domain, event_id):
        """The answer of who-got about the event."""
        return self.assert_run(domain.cdgate("who-got", event_id, "-o", "json")).json()

    def outcome(self, event_id, state):
        """What became of alpha's event for beta, once that is `state`."""
        def reached():
            outcomes = self.who_got(self.domains.alpha, event_id)["outcomes"]
            return [o for o in outcomes if o["peer"] == "beta.example" and o["state"] == state]
        return harness.wait_until(reached, f"{event_id} is {state}")[0]

    def test_quickstart_says_where_the_domains_are(self):
        for text in (self.domains.alpha.api, self.domains.beta.api, self.domains.dir):
            self.assertIn(text, self.domains.output)

    def test_what_both_policies_allow_crosses_and_the_rest_does_not(self):
        events = [cdevent(f"journey-{number}", kind) for number, kind in enumerate(
            ["service.deployed.0.2.0", "pipelinerun.finished.0.2.0", "service.upgraded.0.2.0", "pipelinerun.finished.0.2.0",
             "service.rolledback.0.2.0"])]
        self.publish(*events)
        received = self.subscribe(self.domains.beta, 3, "journey-%")
        self.assertEqual([line["event"] for line in received], events[0::2])
        self.assertEqual({line["origin"] for line in received}, {"alpha.example"})
        self.assertEqual({line["attempt"] for line in received}, {1})
        sequences = [line["sequence"] for line in received]
        self.assertEqual(sequences, sorted(set(sequences)))

    def test_who_got_explains_both(self):
        self.publish(cdevent("got"), cdevent("kept", "pipelinerun.finished.0.2.0"))
        got = self.outcome("got", "accepted")
        self.assertRegex(got["rule"], r".+@\d+")
        kept = self.outcome("kept", "denied")
        self.assertEqual(kept["reason"], "no_rule")
        arrived = self.who_got(self.domains.beta, "got")
        self.assertEqual((arrived["event"]["origin"], arrived["import"]["peer"]), ("alpha.example", "alpha.example"))
        missing = self.domains.beta.cdgate("who-got", "kept")
        self.assertEqual(missing.code, 1, str(missing))

    def test_explain_shows_the_rules(self):
        self.publish(cdevent("explained"))
        result = self.assert_run(self.domains.alpha.cdgate("policy", "explain", "explained", "--peer", "beta.example", "-o", "json"))
        self.assertIs(result.json()["allowed"], True)

    def test_a_frozen_peer_gets_nothing_until_it_is_resumed(self):
        alpha = self.domains.alpha
        self.assert_run(alpha.cdgate("peer", "freeze", "beta.example", "--reason", "test"))
        self.publish(cdevent("while-frozen"))
        self.outcome("while-frozen", "frozen")
        self.assertEqual(self.domains.beta.cdgate("who-got", "while-frozen").code, 1)
        self.assert_run(alpha.cdgate("peer", "resume", "beta.example"))
        self.outcome("while-frozen", "accepted")

    def test_status_of_a_healthy_gateway(self):
        self.domains.wait_for_link()
        status = self.assert_run(self.domains.alpha.cdgate("status", "-o", "json")).json()
        self.assertEqual(status["domain"], "alpha.example")


class QuickstartTest(harness.DomainsTest):
    """The whole show, as a newcomer sees it."""

    options = ["--show"]

    def section(self, title):
        """Lines of the output between a title and the next."""
        parts = self.domains.output.split("\n== ")
        return next(part for part in parts if title in part.partition("\n")[0]).splitlines()

    def test_what_arrives_is_what_was_announced(self):
        lines = self.section("a subscriber in beta gets")
        wanted = int(re.search(r"gets the (\d+)", lines[0]).group(1))
        rows = [line.split() for line in lines if re.match(r"\d+ ", line)]
        self.assertGreater(wanted, 0)
        self.assertEqual(len(rows), wanted)
        for _, kind, _, origin, _, _, rule in rows:
            self.assertRegex(kind, r"^(artifact|service|change)\.")
            self.assertEqual((origin, rule), ("alpha.example", "releases@1"))

    def test_who_got_tells_what_crossed_from_what_stayed(self):
        text = "\n".join(self.section("who got it"))
        self.assertRegex(text, r"beta\.example +accepted +releases@1 +allowed_by_rule")
        self.assertRegex(text, r"beta\.example +denied +- +no_rule")
        self.assertIn("rule releases: no match", text)

    def test_what_it_proposes_next_works(self):
        """The commands it prints, but for those that wait."""
        lines = [line.partition("  #")[0].strip() for line in self.section("what to try next")[1:] if line.strip()]
        commands = [line for line in lines if not re.match(r"cdgate (subscribe|peer freeze)|.*--stop$", line)]
        self.assertEqual(len(commands), len(lines) - 3, lines)
        self.assert_run(harness.run(["bash", "-ec", "\n".join(commands)]))


if __name__ == "__main__":
    harness.main()
