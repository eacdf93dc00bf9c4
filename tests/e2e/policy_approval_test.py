#!/usr/bin/env python3
"""Nobody widens alone.

    policy_approval_test.py [--changes N] [--events N] [--seed N]

Where widening needs approval, one operator alone cannot let more cross: not by a rule, fewer
redactions, looser terms, a group's member or a grant's plane. With the approval of another he
can; the author's own does not count. Narrowing takes effect at once. A rollback decides as it was
decided before. Policies that change under load lose, repeat and mix nothing.
"""
import argparse
import json
import os
import random
import re
import time

import harness
import policy_harness
from policy_harness import Gate, index_of, policy_yaml, rule

# Exit statuses: the answer is no, for now; who asks may not.
NO, NOT_ALLOWED = 1, 4


class ApprovalTest(policy_harness.GateTest):
    run_as = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seed = cls.run_as.seed
        for name, roles in (("author", ["POLICY_AUTHOR"]), ("applier", ["POLICY_AUTHOR"]), ("approver", ["POLICY_APPROVER"]),
                            ("both", ["POLICY_AUTHOR", "POLICY_APPROVER"]), ("operator", ["OPERATOR", "POLICY_AUTHOR"])):
            policy_harness.issue(cls.alpha, f"user/{name}")
            for number, role in enumerate(roles):
                policy_harness.grant(cls.alpha, f"{name}-{number}", f"user/{name}", role)
        policy_harness.grant(cls.alpha, "plane", "service/none", "PUBLISHER", sources=["/none"], plane="resource")
        policy_harness.apply_text(cls.alpha, "kind: group\nname: core\nmembers: [gamma.example]\n")
        policy_harness.configure(cls.alpha, "policy:\n  approve_widening: true\n")

    def base(self, **fields):
        """A policy that every case changes."""
        return policy_yaml("beta.example", export=[rule("services", "SUBJECT_TYPE() = 'service'", **{
            "redact": ["customData.secret"], "terms": {"onward": 0, "groups": ["core@alpha.example"]}, **fields})])

    def hash_of(self, result):
        """The plan that a refusal or a plan names."""
        return re.search(r"\b[0-9a-f]{64}\b", result.out + result.err).group(0)

    def assert_refused(self, result):
        self.assert_run(result, NO)
        self.assertIn("approval_required", (result.out + result.err).lower())

    def approve(self, plan_hash, identity):
        return self.alpha.cdgate("policy", "approve", plan_hash, identity=identity)

    def put_by_two(self, text):
        """Planned by one, approved by another, applied by the first."""
        plan_hash = self.plan(self.alpha, text, identity="author").json()["hash"]
        self.assert_run(self.approve(plan_hash, "approver"))
        applied = self.assert_run(self.apply_plan(self.alpha, plan_hash, "author")).json()
        return int(applied["version"]["version"])

    def test_one_alone_cannot_widen_a_policy(self):
        self.put_by_two(self.base())
        cases = {
            "a rule": policy_yaml("beta.example", export=[
                rule("services", "SUBJECT_TYPE() = 'service'", redact=["customData.secret"], terms={"groups": ["core@alpha.example"]}),
                rule("builds", "SUBJECT_TYPE() = 'build'")]),
            "a condition": policy_yaml("beta.example", export=[rule(
                "services", "SUBJECT_TYPE() = 'service' OR SUBJECT_TYPE() = 'build'", redact=["customData.secret"],
                terms={"groups": ["core@alpha.example"]})]),
            "fewer redactions": self.base(redact=[]),
            "looser terms": self.base(terms={"onward": 1, "groups": ["core@alpha.example"]}),
            "no group": self.base(terms={"onward": 0}),
        }
        for what, text in cases.items():
            with self.subTest(what):
                self.put_by_two(self.base())
                for identity in ("author", "operator", "both"):
                    self.assert_refused(self.alpha.cdgate("policy", "apply", "-", "--unplanned", input=text, identity=identity))
                planned = self.plan(self.alpha, text, identity="author").json()
                self.assertTrue(planned["needs_approval"], planned)
                self.assertNotEqual(planned["widens"], [])
                self.assert_refused(self.apply_plan(self.alpha, planned["hash"], "author"))
                self.assert_refused(self.apply_plan(self.alpha, planned["hash"], "applier"))
                self.assert_run(self.approve(planned["hash"], "approver"))
                self.assert_run(self.apply_plan(self.alpha, planned["hash"], "applier"))
        self.put_by_two(self.base())

    def test_the_author_cannot_approve_his_own(self):
        text = policy_yaml("beta.example", export=[rule("everything", "TRUE")])
        plan_hash = self.plan(self.alpha, text, identity="both").json()["hash"]
        self.assert_run(self.approve(plan_hash, "both"), NOT_ALLOWED)
        self.assert_run(self.approve(plan_hash, "author"), NOT_ALLOWED)  # no approver
        self.assert_refused(self.apply_plan(self.alpha, plan_hash, "both"))
        # Nor may who approved it apply it.
        plan_hash = self.plan(self.alpha, text, identity="author").json()["hash"]
        self.assert_run(self.approve(plan_hash, "both"))
        self.assert_run(self.apply_plan(self.alpha, plan_hash, "both"), NOT_ALLOWED)

    def test_one_alone_cannot_widen_a_group_or_a_grant(self):
        cases = {"group": "kind: group\nname: core\nmembers: [beta.example, gamma.example]\n",
                 "grant": "kind: grant\nname: plane\nprincipal: spiffe://alpha.example/service/none\nrole: PUBLISHER\n"
                          "sources: [/none]\nplane: security\n"}
        for what, text in cases.items():
            with self.subTest(what):
                refused = self.alpha.cdgate("apply", "-f", "-", input=text, identity="operator")
                self.assert_refused(refused)
                plan_hash = self.hash_of(refused)
                self.assert_run(self.approve(plan_hash, "operator"), NOT_ALLOWED)
                self.assert_run(self.approve(plan_hash, "approver"))
                self.assert_run(self.alpha.cdgate("apply", "-f", "-", input=text, identity="operator"))
        # Taking it back needs nobody.
        policy_harness.apply_text(self.alpha, "kind: group\nname: core\nmembers: [gamma.example]\n", identity="operator")

    def test_narrowing_takes_effect_at_once(self):
        self.put_by_two(policy_yaml("beta.example", export=[
            rule("services", "SUBJECT_TYPE() = 'service'", terms={"onward": 2}), rule("builds", "SUBJECT_TYPE() = 'build'")]))
        narrower = [rule("services", "SUBJECT_TYPE() = 'service'", terms={"onward": 1}, redact=["customData"])]
        version = self.apply_policy(self.alpha, policy_yaml("beta.example", export=narrower), identity="author")
        event = harness.cdevent("narrowed", secret="s3cret")
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=json.dumps(event)))
        shown = self.explain(self.alpha, "narrowed")
        self.assertEqual((shown["rule"], shown.get("withheld")), (f"services@{version}", ["/customData"]))
        version = self.apply_policy(self.alpha, policy_yaml("beta.example", export=[
            rule("none", "SUBJECT_TYPE() = 'service'", action="DENY"), *narrower]), identity="author")
        event = harness.cdevent("denied")
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=json.dumps(event)))
        self.assertEqual(self.explain(self.alpha, "denied")["rule"], f"none@{version}")


class LoadTest(policy_harness.GateTest):
    """Policies change while events are published."""

    run_as = None

    def setUp(self):
        self.seed = self.run_as.seed
        self.random = random.Random(self.seed)
        for name, role in (("author", "POLICY_AUTHOR"), ("approver", "POLICY_APPROVER")):
            policy_harness.issue(self.alpha, f"user/{name}")
            policy_harness.grant(self.alpha, name, f"user/{name}", role)
        self.start_with(Gate(["artifact", "service"]))
        policy_harness.configure(self.alpha, "policy:\n  approve_widening: true\n")

    def put_by_two(self, gate):
        planned = self.plan(self.alpha, gate.yaml(), identity="author").json()
        if planned.get("needs_approval"):
            self.assert_run(self.alpha.cdgate("policy", "approve", planned["hash"], identity="approver"))
        applied = self.assert_run(self.apply_plan(self.alpha, planned["hash"], "author")).json()
        version = int(applied["version"]["version"])
        self.gates[version] = gate
        return version

    def decisions(self, first, end, name):
        """What explain says of the events, without the version."""
        rows = self.verdicts(self.alpha, name=name)
        return {index_of(row.id): (row.allowed, row.why, row.explained_rule.partition("@")[0]) for row in rows
                if index_of(row.id) is not None and first <= index_of(row.id) < end}

    def test_changes_under_load(self):
        run = self.run_as
        began = time.monotonic()
        publisher = self.start(self.publisher(0, run.events, rate=max(1, run.events // run.seconds)))
        for number in range(run.changes):
            self.put_by_two(Gate.any(self.random))
        took = time.monotonic() - began
        self.finish(publisher)
        self.wait_until_settled()
        rows = self.verdicts(self.alpha)
        crossed = self.assert_one_version_each(rows)
        self.assert_arrived(crossed, "under load")
        told = self.assert_counts_agree(rows)
        deciding = {row.policy_version for row in rows}
        self.assert_rollback_decides_as_before(run.events)
        print(f"seed {self.seed}: {run.changes} changes by two in {took:.1f} s under {run.events} events, {len(deciding)} versions "
              f"decided some; {dict(told)}", flush=True)

    def assert_rollback_decides_as_before(self, first):
        good, other = Gate(["artifact", "build", "incident"], [1, 5]), Gate(["change"])
        version = self.put_by_two(good)
        self.publish(first, first + 500)
        self.wait_until_settled()
        before = self.decisions(first, first + 500, "before")
        self.put_by_two(other)
        planned = self.assert_run(self.alpha.cdgate("policy", "plan", "--peer", "beta.example", "--restore", str(version), "-o",
                                                    "json", identity="author")).json()
        self.assert_run(self.alpha.cdgate("policy", "approve", planned["hash"], identity="approver"))
        applied = self.assert_run(self.alpha.cdgate("policy", "rollback", "beta.example", str(version), "--plan", planned["hash"],
                                                    "-o", "json", identity="author")).json()["version"]
        self.assertEqual(int(applied.get("restored_version", 0)), version)
        self.gates[int(applied["version"])] = good
        self.assertEqual(self.decisions(first, first + 500, "after"), before)
        self.publish(first + 500, first + 1000)
        self.wait_until_settled()
        rows = self.verdicts(self.alpha)
        self.assert_arrived(self.assert_one_version_each(rows), "after the rollback")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--events", type=int, default=6000)
    parser.add_argument("--seconds", type=int, default=8, help="over which the events are published")
    parser.add_argument("--seed", type=int, default=None)
    options, rest = parser.parse_known_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(3), "little")
    print(f"policy_approval_test.py {vars(options)}", flush=True)
    ApprovalTest.run_as = LoadTest.run_as = options
    harness.main(rest)


if __name__ == "__main__":
    main()
