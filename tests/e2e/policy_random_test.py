#!/usr/bin/env python3
"""What arrives is what both policies allow, and nothing else.

    policy_random_test.py [--events N] [--rounds N] [--seed N]

Random events of two publishers cross, or do not, under random policies on both sides, other ones
in each round (policy_plan.h). What arrived at a subscriber in beta, with what content, and what
who-got and explain say of each event, must be what an oracle says that shares nothing with the
gateway's decisions (policy_oracle.h). Then policies are taken away and damaged, and nothing
crosses; and a rule fails on some events, and the others do not notice.
"""
import argparse
import json
import os

import harness
import policy_harness
from policy_harness import DAMAGE, POLICIES, import_rule, policy_yaml, rule, run_client


class RandomTest(policy_harness.PolicyTest):
    options_of_run = None

    def policies_of(self, number):
        """The texts of a round's policies: alpha's for beta, beta's for alpha."""
        folder = self.path(f"round-{number}")
        os.makedirs(folder, exist_ok=True)
        self.assert_run(harness.run([POLICIES, "policies", "--seed", str(self.options_of_run.seed), "--round", str(number),
                                     "--out", folder]))
        texts = []
        for name in ("export.yaml", "import.yaml"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                texts.append(file.read())
        return texts

    def publish(self, first, end):
        for number, identity in enumerate(("publisher", "observer")):
            self.assert_run(run_client(self.alpha, POLICIES, "publish", "--seed", self.options_of_run.seed, "--first", first,
                                       "--end", end, "--publisher", number, identity=identity))

    def set_up_publishers(self):
        policy_harness.issue(self.alpha, "service/observer")
        policy_harness.grant(self.alpha, "publisher", "service/publisher", "PUBLISHER", sources=["%"],
                             plane="integration-delivery")
        policy_harness.grant(self.alpha, "observer", "service/observer", "PUBLISHER", sources=["%"], plane="observability")

    def test_exactly_what_both_policies_allow_arrives(self):
        run = self.options_of_run
        self.set_up_publishers()
        self.domains.wait_for_link()
        ends = [run.events * (number + 1) // run.rounds for number in range(run.rounds)]
        with open(self.path("rounds"), "w", encoding="utf-8") as rounds:
            first = 0
            for number, end in enumerate(ends):
                exported, imported = self.policies_of(number)
                versions = (self.apply_policy(self.alpha, exported), self.apply_policy(self.beta, imported))
                shown = json.loads(imported)["import"]["interest"] == "RULES"
                self.probe(versions[0], versions[1] if shown else 0)
                self.publish(first, end)
                self.wait_until_settled()
                rounds.write(f"{end} {versions[0]} {versions[1]}\n")
                first = end
        result = run_client(self.alpha, POLICIES, "verify", "--seed", run.seed, "--peer-gateway", self.beta.api,
                            "--peer-identity", self.beta.identity("subscriber"), "--last", self.head(self.alpha),
                            "--rounds", self.path("rounds"), identity="admin")
        self.assert_run(result)
        summary = result.json()
        print(f"{run.events} events, {run.rounds} rounds of policies, seed {run.seed}: {json.dumps(summary)}", flush=True)
        self.assertGreater(summary["arrived"], 0)
        self.assertGreater(summary["events"], summary["arrived"])


class BrokenTest(policy_harness.PolicyTest):
    """A policy that is missing, empty or damaged lets nothing cross, and says so."""

    everything = policy_yaml("beta.example", export=[rule("all", "TRUE")])
    taken = policy_yaml("alpha.example", imports=[import_rule("all", "TRUE")])

    def setUp(self):
        self.apply_policy(self.alpha, self.everything)
        self.apply_policy(self.beta, self.taken)
        self.domains.wait_for_link()

    def publish(self, name, count=50):
        events = "".join(json.dumps(harness.cdevent(f"{name}-{number}")) + "\n" for number in range(count))
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=events))

    def crossed(self, name):
        return [arrival.id for arrival in self.arrivals(self.beta) if arrival.id.startswith(name + "-")]

    def damage(self, domain, peer, how):
        policy_harness.stop(domain)
        self.assert_run(harness.run([DAMAGE, os.path.join(domain.dir, "data", "state"), "policy", peer, how]))
        domain.start()

    def wait_for_health(self, domain, peer, wanted):
        harness.wait_until(lambda: self.health(domain, peer) == wanted, f"{domain.short} says of {peer} {wanted}")

    def assert_nothing_crosses(self, name, domain, peer, outcomes):
        """Whatever becomes of the events by alpha's word, beta has none of them, and `domain` says so."""
        self.domains.wait_for_link()
        self.publish(name)
        last = f"{name}-49"

        said = set()

        def told():
            outcome = self.outcomes(self.alpha, last)["beta.example"]
            said.add((outcome["state"], outcome["reason"]))
            return bool(said & outcomes)
        try:
            harness.wait_until(told, f"{last} is one of {outcomes}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it was {said}") from None
        # Some that might follow have the time to.
        for _ in range(10):
            self.assertEqual(self.crossed(name), [])
        self.wait_for_health(domain, peer, "NOT_SERVING")

    def assert_it_heals(self, name, domain, peer, text):
        self.apply_policy(domain, text)
        self.domains.wait_for_link()
        self.wait_for_health(domain, peer, "SERVING")
        self.publish(name)
        harness.wait_until(lambda: len(self.crossed(name)) == 50, f"{name} cross")

    def test_a_damaged_policy(self):
        for how in ("value", "rules", "remove"):
            with self.subTest(how):
                self.assert_it_heals(f"before-{how}", self.alpha, "beta.example", self.everything)
                self.damage(self.alpha, "beta.example", how)
                self.assert_nothing_crosses(f"damaged-{how}", self.alpha, "beta.example", {("denied", "no_policy")})
                self.assert_it_heals(f"after-{how}", self.alpha, "beta.example", self.everything)

    def test_a_damaged_import_policy(self):
        for how in ("value", "remove"):
            with self.subTest(how):
                self.damage(self.beta, "alpha.example", how)
                self.assert_nothing_crosses(f"import-{how}", self.beta, "alpha.example", {
                    ("refused", ""), ("refused", "no_policy"), ("not_wanted", "not_wanted"), ("waiting", "allowed_by_rule"),
                    ("possibly_sent", "allowed_by_rule")})
                self.assert_it_heals(f"import-after-{how}", self.beta, "alpha.example", self.taken)

    def test_a_policy_without_rules(self):
        self.apply_policy(self.alpha, policy_yaml("beta.example", export=[]))
        self.assert_nothing_crosses("empty", self.alpha, "beta.example", {("denied", "no_rule")})

    def test_a_policy_that_does_not_compile_is_refused_and_the_last_good_one_stays(self):
        for text in ("kind: policy\npeer: beta.example\nexport:\n  rulez: []\n",
                     policy_yaml("beta.example", export=[rule("broken", "type LIKE")]), "kind: policy\npeer: [\n"):
            result = self.alpha.cdgate("policy", "apply", "-", "--unplanned", input=text)
            self.assertNotEqual(result.code, 0, str(result))
        self.publish("last-good")
        harness.wait_until(lambda: len(self.crossed("last-good")) == 50, "the last good policy stays in force")

    def test_a_rule_that_fails_denies_what_it_fails_on_and_nothing_else(self):
        version = self.apply_policy(self.alpha, policy_yaml("beta.example", export=[
            rule("core", "CDEVENT('customData.team') = 'core'"), rule("rest", "TRUE")]))
        teams = [None, "core", "other"]
        events = "".join(json.dumps(harness.cdevent(f"failing-{number}", **({"team": teams[number % 3]} if number % 3 else {}))) + "\n"
                         for number in range(300))
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=events))
        harness.wait_until(lambda: self.outcomes(self.alpha, "failing-299")["beta.example"]["state"] == "accepted", "they cross")
        verdicts = {row.id: row for row in self.verdicts(self.alpha) if row.id.startswith("failing-")}
        expected = {0: ("denied", "filter_error", f"core@{version}"), 1: ("accepted", "allowed_by_rule", f"core@{version}"),
                    2: ("accepted", "allowed_by_rule", f"rest@{version}")}
        for number in range(300):
            row = verdicts[f"failing-{number}"]
            self.assertEqual((row.state, row.reason, row.rule), expected[number % 3], row)
        self.assertEqual(self.crossed("failing"), [f"failing-{number}" for number in range(300) if number % 3])
        self.wait_for_health(self.alpha, "beta.example", "SERVING")
        counted = [value for name, value in self.alpha.metrics().items()
                   if name.startswith("cdgate_decisions_total{") and 'reason="filter_error"' in name and 'direction="export"' in name]
        self.assertGreaterEqual(sum(counted), 100)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2400)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=None)
    options, rest = parser.parse_known_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(3), "little")
    print(f"policy_random_test.py --events {options.events} --rounds {options.rounds} --seed {options.seed}", flush=True)
    RandomTest.options_of_run = options
    harness.main(rest)


if __name__ == "__main__":
    main()
