"""alpha, beta and gamma: what tests with a third domain have in common, on top of policy_harness.py.

    class TransitTest(three_domains.Chain):        # gamma is beta's peer
    class QuotaTest(three_domains.Crossing):       # gamma is whose the test says, and latency is measured

ctest sets, besides what policy_harness.py needs, CDGATE_E2E_CROSSING (crossing.cc), built.
"""
import json
import os
import statistics
import subprocess

import harness
import policy_harness
from policy_harness import import_rule, rule

CROSSING = os.environ.get("CDGATE_E2E_CROSSING", "")
EVERYTHING = [import_rule("all", "TRUE")]


def policy(peer, exports=None, imports=None, send_on=(), take_from=(), import_limits=None):
    """A policy; with transit where `send_on` or `take_from` names origins."""
    out = {"kind": "policy", "peer": peer}
    if exports is not None:
        out["export"] = {"rules": exports, "transit": list(send_on)}
    if imports is not None:
        out["import"] = {"rules": imports, "transit": list(take_from)}
    if import_limits is not None:
        out["import"]["limits"] = import_limits
    return json.dumps(out) + "\n"


class ThreeDomains(policy_harness.PolicyTest):
    """gamma is there, and has no peer yet."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gamma = policy_harness.add_domain(cls.domains, "gamma")

    @classmethod
    def tearDownClass(cls):
        cls.gamma.end()
        super().tearDownClass()

    @classmethod
    def put(cls, domain, text):
        result = domain.cdgate("policy", "apply", "-", "--unplanned", input=text)
        assert result.code == 0, str(result)

    def publish(self, domain, *events):
        text = "".join(json.dumps(event) + "\n" for event in events)
        self.assert_run(domain.cdgate("publish", "-", identity="publisher", input=text))


class Chain(ThreeDomains):
    """What goes on from one to the next: gamma is beta's peer, and holds alpha's bundle, set by hand."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gamma.peer_with(cls.beta)
        cls.trust(cls.gamma, cls.alpha)
        cls.put(cls.beta, policy("alpha.example", imports=EVERYTHING))
        cls.put(cls.gamma, policy("beta.example", imports=EVERYTHING, take_from=["alpha.example"]))

    @staticmethod
    def bundle(domain):
        return os.path.join(domain.ca(), "ca.crt")

    @classmethod
    def trust(cls, domain, other):
        result = domain.cdgate("trust", "set", other.name, "--bundle", cls.bundle(other), "--yes")
        assert result.code == 0, str(result)

    @classmethod
    def give(cls, onward=3, **fields):
        """What alpha gives to beta, by a policy that alters events, so that it commits to fields."""
        cls.put(cls.alpha, policy("beta.example", exports=[
            {"name": "all", "when": "TRUE", "action": "ALLOW", "terms": {"onward": onward}, **fields}]))

    @classmethod
    def send_on(cls, **fields):
        cls.put(cls.beta, policy("gamma.example", exports=[rule("all", "TRUE", **fields)], send_on=["alpha.example"]))

    def send(self, name, onward=3, **custom):
        self.give(onward)
        self.publish(self.alpha, harness.cdevent(name, **custom))

    def arrived(self, domain, name):
        [event] = self.subscribe(domain, 1, name)
        return event

    def data(self, event):
        return event["event"]

    def refused(self, domain, reason):
        key = f'cdgate_decisions_total{{direction="import",peer="beta.example",reason="{reason}"}}'
        return domain.metrics().get(key, 0)


class Crossing(ThreeDomains):
    """Measures events on their way from alpha to gamma. `plan`: rate and seconds of the command line."""

    plan = None
    seed = 20260208  # of the events that are measured
    next = 0

    def cross(self, meanwhile=None):
        """p99 in ms over a while; all arrive, once. `meanwhile` is done as soon as events flow."""
        process = subprocess.Popen([
            CROSSING, "--from", self.alpha.api, "--publisher", self.alpha.identity("publisher"), "--to", self.gamma.api,
            "--subscriber", self.gamma.identity("subscriber"), "--seed", str(self.seed), "--first", str(self.next),
            "--rate", str(self.plan.rate), "--seconds", str(self.plan.seconds), "--settle", str(self.plan.settle)],
            stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "publishing\n")
        if meanwhile is not None:
            meanwhile()
        out = process.communicate(timeout=self.plan.settle + self.plan.seconds + harness.PATIENCE_S)[0]
        self.assertEqual(process.returncode, 0, out)
        result = json.loads(out)
        type(self).next = result["next"]
        self.assertEqual((result["arrived"], result["repeated"]), (result["published"], 0))
        return result["p99_ms"]

    def assert_hardly_slower(self, quiet, beside):
        """The medians of pairs, where the command line says that they are measured."""
        if self.plan.measured:
            base = statistics.median(quiet)
            self.assertLessEqual(statistics.median(beside), max(1.5 * base, base + 5))


def add_plan(parser):
    """What the command lines of Crossing tests have in common."""
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--settle", type=int, default=0, help="seconds before that are not measured")
    parser.add_argument("--measured", action="store_true")
