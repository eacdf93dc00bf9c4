"""What the tests of policies have in common, on top of harness.py.

    class RandomTest(policy_harness.PolicyTest):
        def test_x(self):
            self.apply_policy(self.domains.alpha, text)
            self.wait_until_settled()
            rows = self.verdicts(self.domains.alpha)

ctest sets, besides what harness.py needs, CDGATE_E2E_POLICIES (policy_client.cc),
CDGATE_E2E_DAMAGE (damage.cc) and CDGATE_E2E_TAP (tap.cc), built.
"""
import collections
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import harness

POLICIES = os.environ.get("CDGATE_E2E_POLICIES", "")
DAMAGE = os.environ.get("CDGATE_E2E_DAMAGE", "")
TAP = os.environ.get("CDGATE_E2E_TAP", "")
SANITIZED = os.environ.get("CDGATE_E2E_SANITIZED", "0") == "1"

# Of who-got and explain, as verdicts.h writes them.
Verdict = collections.namedtuple("Verdict", [
    "sequence", "id", "state", "reason", "rule", "replayed", "allowed", "why", "explained_rule", "explained_state",
    "policy_version", "interest_version", "trimmed", "direction"])
Arrival = collections.namedtuple("Arrival", ["sequence", "id", "origin", "attempt", "rule", "notes"])
# States of events that left: what the peer did with them is its own answer.
LEFT = {"accepted", "refused", "acknowledged_undisclosed"}
# States that nothing changes any more.
SETTLED = {"denied", "not_wanted", "accepted", "refused", "acknowledged_undisclosed", "dead_lettered", "retracted"}


def stop(domain):
    """Ends a gateway in good order."""
    pid = domain.pid()
    os.kill(pid, signal.SIGTERM)
    harness.wait_until(lambda: not domain.running(), f"process {pid} ends")


def configure(domain, text):
    """Adds to gateway.yaml and starts the gateway again."""
    stop(domain)
    with open(os.path.join(domain.dir, "gateway.yaml"), "a", encoding="utf-8") as file:
        file.write(text)
    domain.start()


def issue(domain, name):
    """A certificate for a name such as user/author; its folder is identity(author)."""
    result = harness.run([harness.BINARY, "cert", "issue", name, "--ca", domain.ca(), "--out",
                          domain.identity(name.partition("/")[2])])
    if result.code != 0:
        raise AssertionError(str(result))


def grant(domain, name, principal, role, **fields):
    """Applies a grant; in the words of YAML."""
    lines = [f"kind: grant\nname: {name}\nprincipal: spiffe://{domain.name}/{principal}\nrole: {role}"]
    lines += [f"{key}: {json.dumps(value)}" for key, value in fields.items()]
    apply_text(domain, "\n".join(lines) + "\n")


def apply_text(domain, text, **options):
    """`cdgate apply` of what `text` says."""
    result = domain.cdgate("apply", "-f", "-", input=text, **options)
    if result.code != 0:
        raise AssertionError(str(result))
    return result


def run_client(domain, program, command, *arguments, identity, timeout=None):
    """A command of policy_client.cc against a gateway."""
    argv = [*domain.before, program, command, "--gateway", domain.api, "--identity", domain.identity(identity), *map(str, arguments)]
    return harness.run(argv, timeout=timeout or 10 * harness.PATIENCE_S)


def policy_yaml(peer, export=None, imports=None, interest=None, reasons=None):
    """A policy; rules are dicts of their fields."""
    policy = {"kind": "policy", "peer": peer}
    if export is not None or reasons:
        policy["export"] = {"rules": export or []}
        if reasons:
            policy["export"]["reasons_to_peer"] = reasons
    if imports is not None:
        policy["import"] = {"rules": imports}
        if interest:
            policy["import"]["interest"] = interest
    return json.dumps(policy) + "\n"


def rule(name, when, action="ALLOW", links="KEEP", **fields):
    """An export rule."""
    return {"name": name, "when": when, "action": action, "links": links, **fields}


def import_rule(name, when, action="ALLOW", **fields):
    return {"name": name, "when": when, "action": action, **fields}


class CountingForwarder(harness.Forwarder):
    """Counts the bytes that the dialled side sends."""

    def __init__(self):
        self._counting = threading.Lock()
        self._bytes = 0
        super().__init__()

    def bytes_received(self):
        with self._counting:
            return self._bytes

    def passed(self, count):
        with self._counting:
            self._bytes += count


class PolicyTest(harness.DomainsTest):
    via = harness.Forwarder

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alpha, cls.beta = cls.domains.alpha, cls.domains.beta

    # --- policies

    def apply_policy(self, domain, text, *flags, identity="admin"):
        """Applies without a plan; the version that is then in force."""
        result = domain.cdgate("policy", "apply", "-", *(flags or ["--unplanned"]), "-o", "json", input=text, identity=identity)
        return int(self.assert_run(result).json()["version"]["version"])

    def plan(self, domain, text, *flags, identity="admin", code=0):
        """`cdgate policy plan` of a candidate."""
        result = domain.cdgate("policy", "plan", "-", *flags, "-o", "json", input=text, identity=identity,
                               timeout=4 * harness.PATIENCE_S)
        return self.assert_run(result, code)

    def apply_plan(self, domain, plan_hash, identity="admin"):
        return domain.cdgate("policy", "apply", "--plan", plan_hash, "-o", "json", identity=identity)

    # --- where the link is

    def peer_status(self, domain, peer):
        return self.assert_run(domain.cdgate("peer", "show", peer, "-o", "json")).json()

    def head(self, domain):
        return int(self.assert_run(domain.cdgate("status", "-o", "json")).json().get("head_sequence", 0))

    def outcomes(self, domain, event_id):
        """{peer: outcome} of who-got."""
        answer = self.assert_run(domain.cdgate("who-got", event_id, "-o", "json")).json()
        return {outcome["peer"]: outcome for outcome in answer.get("outcomes", [])}

    def wait_until_settled(self, exporter=None, peer="beta.example", timeout=None):
        """Until the ledger accounts for every event in the exporter's log, replays included."""
        exporter = exporter or self.alpha

        def settled():
            head = self.head(exporter)
            if head == 0:
                return True
            answer = exporter.cdgate("who-got", str(head), "--sequence", "-o", "json")
            states = [o["state"] for o in answer.json().get("outcomes", []) if o["peer"] == peer] if answer.code == 0 else []
            if not states or states[0] not in SETTLED:
                return False
            status = self.peer_status(exporter, peer)
            counted = sum(int(row["count"]) for row in status["exported"])
            left = int(status["replay_left"]) + int(status["export_lag_events"])
            return left == 0 and (counted >= head or not status["exported"]) and head == self.head(exporter)
        harness.wait_until(settled, "every event is accounted for", timeout or 4 * harness.PATIENCE_S)

    def probe(self, policy_version=None, interest_version=None, exporter=None, peer="beta.example"):
        """Until events that are published now are decided by these versions."""
        exporter = exporter or self.alpha

        def decided():
            event = harness.cdevent(f"probe-{time.monotonic_ns()}")
            self.assert_run(exporter.cdgate("publish", "-", identity="publisher", input=json.dumps(event)))
            shown = self.explain(exporter, event["context"]["id"], peer)
            epoch = shown.get("policy_epoch", {})
            return ((policy_version is None or int(epoch.get("policy_version", 0)) == policy_version)
                    and (interest_version is None or int(epoch.get("interest_version", 0)) == interest_version))
        harness.wait_until(decided, f"policy {policy_version} and interest {interest_version} decide")

    def explain(self, domain, event_id, peer="beta.example", identity="admin"):
        return self.assert_run(domain.cdgate("policy", "explain", event_id, "--peer", peer, "-o", "json", identity=identity)).json()

    # --- all events

    def verdicts(self, domain, peer="beta.example", first=1, last=None, name="verdicts", explain=True):
        """Verdict of every event in the domain's log."""
        path = self.path(name)
        flags = [] if explain else ["--no-explain"]
        self.assert_run(run_client(domain, POLICIES, "verdicts", "--peer", peer, "--first", first, "--last",
                                   last or self.head(domain), "--out", path, *flags, identity="admin"))
        with open(path, encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
        failed = [row for row in rows if row[1] == "!"]
        self.assertEqual(failed[:5], [], f"{len(failed)} of {len(rows)} questions were not answered")
        return [Verdict(int(row[0]), *row[1:]) for row in rows]

    def arrivals(self, domain, name="arrivals"):
        """Every event that a subscriber of the domain gets, oldest first."""
        path = self.path(name)
        self.assert_run(run_client(domain, POLICIES, "read", "--out", path, identity="subscriber"))
        with open(path, encoding="utf-8") as file:
            return [Arrival(*line.rstrip("\n").split("\t")) for line in file]

    def health(self, domain, peer):
        run = run_client(domain, POLICIES, "health", "--service", f"peer:{peer}", identity="admin")
        return self.assert_run(run).out.strip()

    def counted(self, domain, peer, direction):
        """Three times the sums by (state, reason): of the metrics, of PeerStatus."""
        metrics = collections.Counter()
        for name, value in domain.metrics().items():
            if re.match(r"cdgate_outcomes(_total)?\{", name):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
                if labels.get("peer") == peer and labels.get("direction") == direction and value:
                    metrics[labels["state"], labels["reason"]] += int(value)
        shown = self.peer_status(domain, peer).get("exported" if direction == "export" else "imported", [])
        status = collections.Counter({(row.get("state", ""), row.get("reason", "")): int(row["count"])
                                      for row in shown if int(row.get("count", 0))})
        return metrics, status

    def start(self, argv):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(_end, process)
        return process

    def finish(self, process):
        out, _ = process.communicate(timeout=10 * harness.PATIENCE_S)
        self.assertEqual(process.returncode, 0, out)
        return out


def _end(process):
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


# --- policies whose decisions on the chaos events (chaos_events.h) are known here

MASK = (1 << 64) - 1
SUBJECTS = ["artifact", "artifact", "service", "service", "change", "change", "pipelinerun", "build", "taskrun", "incident"]


def mix(seed, index):
    """Of chaos_events.cc."""
    value = (seed * 0x9E3779B97F4A7C15 + index) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def subject_of(seed, index):
    return SUBJECTS[((index + mix(seed, index // 10)) & MASK) % len(SUBJECTS)]


class Gate:
    """Lets the events of some subjects cross, but for those whose index ends in some digits."""

    def __init__(self, subjects, without=()):
        self.subjects = frozenset(subjects)
        self.without = frozenset(without)

    @staticmethod
    def any(source):
        return Gate(source.sample(sorted(set(SUBJECTS)), source.randint(1, 6)), source.sample(range(10), source.randint(0, 3)))

    def rule_of(self, seed, index):
        """Name of the rule that decides; None: none does."""
        if index % 10 in self.without:
            return "without"
        return "subjects" if subject_of(seed, index) in self.subjects else None

    def expected(self, seed, index):
        """What the exporter's who-got says of the event, if it is decided by this policy."""
        name = self.rule_of(seed, index)
        if name is None:
            return "denied", "no_rule", ""
        return ("accepted", "allowed_by_rule", name) if name == "subjects" else ("denied", "denied_by_rule", name)

    def yaml(self, peer="beta.example", **fields):
        rules = []
        if self.without:
            rules.append({"name": "without", "when": " OR ".join(f"id LIKE '%{digit}'" for digit in sorted(self.without)),
                          "action": "DENY"})
        subjects = ", ".join(f"'{subject}'" for subject in sorted(self.subjects)) or "'none'"
        rules.append(rule("subjects", f"SUBJECT_TYPE() IN ({subjects})", **fields))
        return policy_yaml(peer, export=rules, reasons="CODE")


def index_of(event_id):
    """Of a chaos event; None: it is none."""
    match = re.fullmatch(r"chaos-\d+-(\d+)", event_id)
    return int(match.group(1)) if match else None


class GateTest(PolicyTest):
    """Chaos events under a sequence of gates; beta takes everything."""

    seed = 1

    def start_with(self, gate):
        self.gates = {}
        self.apply_policy(self.beta, policy_yaml("alpha.example", imports=[import_rule("all", "TRUE")], reasons="CODE"))
        self.put_in_force(gate)
        self.domains.wait_for_link()

    def put_in_force(self, gate, **fields):
        """Applies it without a plan."""
        version = self.apply_policy(self.alpha, gate.yaml(**fields))
        self.gates[version] = gate
        return version

    def publisher(self, first, end, rate=0):
        return self.alpha.client("publish", "--seed", self.seed, "--first", first, "--count", end, "--rate", rate,
                                 identity="publisher")

    def publish(self, first, end):
        self.assert_run(harness.run(self.publisher(first, end), timeout=10 * harness.PATIENCE_S))

    def assert_arrived(self, expected, what):
        """The chaos events in beta are exactly those with these indexes, each once."""
        arrivals = [arrival for arrival in self.arrivals(self.beta) if index_of(arrival.id) is not None]
        indexes = [index_of(arrival.id) for arrival in arrivals]
        expected = set(expected)
        self.assertEqual(len(indexes), len(set(indexes)), f"{what}: some arrived twice")
        self.assertEqual(sorted(set(indexes) - expected)[:10], [], f"{what}: crossed against the policies")
        self.assertEqual(sorted(expected - set(indexes))[:10], [], f"{what}: lost")
        return arrivals

    def assert_one_version_each(self, rows, replayed=()):
        """Each event was decided by one of the gates, as that gate decides, the later never by an
        earlier one; those that were offered again are in `replayed`. The accepted ones' indexes."""
        crossed, newest = set(), 0
        for row in rows:
            index = index_of(row.id)
            if index is None:
                continue
            version = int(row.policy_version)
            self.assertIn(version, self.gates, row)
            state, reason, name = self.gates[version].expected(self.seed, index)
            self.assertEqual((LEFT_AS.get(row.state, row.state), row.reason or reason, row.rule),
                             (state, reason, f"{name}@{version}" if name else ""), row)
            self.assertEqual(row.allowed == "1", state == "accepted", row)
            self.assertEqual(row.explained_state, row.state, row)
            self.assertEqual((row.why or reason, row.explained_rule), (row.reason or reason, row.rule), row)
            if index not in replayed:
                self.assertGreaterEqual(version, newest, f"decided by an older policy than one before: {row}")
                newest = version
            if state == "accepted":
                crossed.add(index)
        return crossed

    def assert_counts_agree(self, rows):
        """Sums of who-got, of the metrics and of the peer's status."""
        told = collections.Counter((row.state, row.reason) for row in rows)
        metrics, status = self.counted(self.alpha, "beta.example", "export")
        self.assertEqual(dict(status), dict(told), "peer show and who-got")
        self.assertEqual(dict(metrics), dict(told), "metrics and who-got")
        return told


# An ack that was lost with the connection: the event arrived all the same.
LEFT_AS = {"acknowledged_undisclosed": "accepted"}


def add_domain(domains, short, attestor=True):
    """Another domain beside alpha and beta: identities, a running gateway, grants. Without an
    attestor it signs no statements."""
    domain = AddedDomain(short, domains.dir)
    domain.set_up(attestor)
    return domain


class AddedDomain(harness.Domain):
    """May be extended: where it listens, what else is configured, who has which rights."""

    LISTENERS = ("peers", "api", "enrolment", "ops")
    GRANTS = (("operator", "user/admin", "OPERATOR"), ("author", "user/admin", "POLICY_AUTHOR"),
              ("auditor", "user/admin", "AUDITOR"), ("subscriber", "service/subscriber", "SUBSCRIBER"))

    def __init__(self, short, directory):
        super().__init__(short, directory, "")
        self.process = None
        # A path of a socket may not be long.
        self.socket = os.path.join("/tmp", f"cdgate-e2e-{os.getpid()}-{self.short}.sock")

    def set_up(self, attestor=True):
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self._issue_identities()
        with open(os.path.join(self.dir, "gateway.yaml"), "w", encoding="utf-8") as file:
            file.write(self.configuration(attestor))
        self.api = self.address("api")
        self.start()
        grants = [f"kind: grant\nname: {name}\nprincipal: spiffe://{self.name}/{principal}\nrole: {role}\n"
                  for name, principal, role in self.GRANTS]
        self._run("apply", "-f", "-", "--gateway", f"unix:{self.socket}", input="---\n".join(grants))

    def listens_at(self, listener):
        """The address of one of LISTENERS."""
        del listener
        return f"127.0.0.1:{_free_port()}"

    def configuration(self, attestor=True):
        identity = self.identity("gateway")
        lines = [f"domain: {self.name}", "instance: gw1", f"data_dir: {self.dir}/data", "identity:",
                 f"  certificate: {identity}/tls.crt", f"  key: {identity}/tls.key", f"  bundle: {identity}/bundle.pem"]
        if attestor:
            signing = self.identity("attestor")
            lines += ["attestor:", f"  certificate: {signing}/tls.crt", f"  key: {signing}/tls.key"]
        lines += ["listeners:"] + [f"  {name}: {self.listens_at(name)}" for name in self.LISTENERS]
        return "\n".join([*lines, f"  local: {self.socket}"]) + "\n"

    def _issue_identities(self):
        self._run("ca", "init", self.name, "--ca", self.ca())
        for name, folder in (("gateway/gw1", "gateway"), ("attestor/gw1", "attestor"), ("user/admin", "admin"),
                             ("service/publisher", "publisher"), ("service/subscriber", "subscriber")):
            names = ["--dns", "localhost", "--ip", "127.0.0.1"] if folder == "gateway" else []
            self._run("cert", "issue", name, "--ca", self.ca(), "--out", self.identity(folder), *names)

    def start(self):
        self.launch()
        harness.wait_until(self.answers, f"{self.name} serves")

    def launch(self, *before):
        """Starts the gateway through a command that becomes it, if any; returns at once."""
        with open(os.path.join(self.dir, "gateway.log"), "ab") as log:
            self.process = subprocess.Popen([*self.before, *before, harness.BINARY, "serve", "--config",
                                             os.path.join(self.dir, "gateway.yaml")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        with open(os.path.join(self.dir, "gateway.pid"), "w", encoding="utf-8") as file:
            file.write(str(self.process.pid))

    def answers(self):
        return harness.run([harness.BINARY, "status", "--gateway", f"unix:{self.socket}"]).code == 0

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def peer_with(self, inviter):
        """Invited by `inviter`, accepted and approved on both sides; this domain dials."""
        token = inviter.cdgate("peer", "invite", "--domain", self.name).out.split()[0]
        for domain, arguments in ((self, ("accept", token)), (inviter, ("approve", self.name)), (self, ("approve", inviter.name))):
            result = domain.cdgate("peer", *arguments)
            if result.code != 0:
                raise AssertionError(str(result))

    def _run(self, *arguments, **options):
        result = harness.run([harness.BINARY, *arguments], **options)
        if result.code != 0:
            raise AssertionError(str(result))


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]
