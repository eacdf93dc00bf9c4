#!/usr/bin/env python3
"""A peer that is away for longer than retention lasts: the operator is told exactly which events it lost.

The link is cut while events are published, and retention removes them; when it is up again, `cdgate
peer lost` lists them by their ids, `peer show` counts as many, and what came later arrives."""
import json

import harness
import policy_harness
from policy_harness import import_rule, policy_yaml, rule

BETA = "beta.example"


class LostTest(policy_harness.PolicyTest):
    def setUp(self):
        # Retention removes closed files of the log, at once.
        policy_harness.configure(self.alpha, "log:\n  segment_bytes: 1048576\n  retention_bytes: 1\n")
        self.apply_policy(self.beta, policy_yaml("alpha.example", imports=[import_rule("all", "TRUE")]))
        self.apply_policy(self.alpha, policy_yaml(BETA, export=[rule("all", "TRUE")]))
        self.domains.wait_for_link()

    def publish(self, event_id, **custom):
        event = harness.cdevent(event_id, **custom)
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=json.dumps(event)))
        return event_id

    def lost(self, *flags):
        return self.assert_run(self.alpha.cdgate("peer", "lost", BETA, *flags))

    def test_what_retention_removed_is_listed_by_id(self):
        crossed = self.publish("crossed")
        self.wait_until_settled()
        none = self.lost()
        self.assertEqual((none.out, none.err), ("", f"{BETA} lost nothing to retention\n"))

        self.forwarder.forward_to("127.0.0.1:1")  # refused
        self.forwarder.cut()
        small = [self.publish(f"away-{number}") for number in range(5)]
        last = self.head(self.alpha)
        ids = small + [self.publish(f"ballast-{number}", padding="x" * 900_000) for number in range(3)]

        def removed():
            status = self.assert_run(self.alpha.cdgate("status", "-o", "json")).json()
            return int(status["first_sequence"]) > last
        harness.wait_until(removed, "retention removes the events", timeout=180 + 2 * harness.PATIENCE_S)
        self.alpha.kill()  # it has the newest in memory, too
        self.alpha.start()
        self.forwarder.forward_to(self.alpha.address("peers"))
        self.wait_until_settled()

        answer = self.lost("-o", "json").json()
        listed = [lost["event"]["id"] for lost in answer["events"]]
        self.assertEqual(listed, ids[:len(listed)])  # the last file of the log stays
        self.assertEqual(listed[:len(small)], small)
        self.assertNotIn(crossed, listed)
        self.assertEqual({lost["state"] for lost in answer["events"]}, {"dead_lettered"})
        self.assertEqual(answer["forgotten"], [])
        self.assertEqual(int(self.peer_status(self.alpha, BETA)["lost_events"]), len(listed))
        self.assertEqual([line.split()[3] for line in self.lost().out.splitlines()[1:]], listed)
        self.assertEqual([line.split()[3] for line in self.lost("--limit", "2").out.splitlines()[1:]], listed[:2])
        shown = self.assert_run(self.alpha.cdgate("peer", "show", BETA)).out
        self.assertIn(f"cdgate peer lost {BETA}", shown)
        for event_id in ids[len(listed):]:
            self.assertEqual(self.outcomes(self.alpha, event_id)[BETA]["state"], "accepted")


if __name__ == "__main__":
    harness.main()
