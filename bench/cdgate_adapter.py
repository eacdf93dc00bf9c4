"""cdgate for the relay benchmark: name this file in BENCH_ADAPTERS.

    CDGATE_BUILD   build directory with the binary and the load generators

Domain A publishes, domain B subscribes and dials A. Each has a CA of its own made by
`cdgate ca init`, because a principal needs a SPIFFE ID in its certificate, and a policy
of twenty rules of which the last one that an event meets lets it pass.
"""
import os
import subprocess
import time
import urllib.request

from core import Proc, wait_port

from .base import Adapter

BUILD = os.environ.get("CDGATE_BUILD") or os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build", "bench")
BINARY = f"{BUILD}/gateway/cmd/cdgate"
DOMAINS = {"a": "ci.domain-a.example", "b": "ci.domain-b.example"}

CONFIG = """\
domain: {domain}
data_dir: {dir}/data
identity:
  certificate: {dir}/gateway/tls.crt
  key: {dir}/gateway/tls.key
  bundle: {dir}/gateway/bundle.pem
listeners:
  peers: 127.0.0.1:{peers}
  api: 127.0.0.1:{api}
  enrolment: 127.0.0.1:{enrolment}
  ops: 127.0.0.1:{ops}
advertise:
  peers: localhost:{advertised}
  enrolment: localhost:{enrolment}
logging:
  level: warning
"""
ATTESTOR = """\
attestor:
  certificate: {dir}/attestor/tls.crt
  key: {dir}/attestor/tls.key
"""

FOLDERS = {"user/admin": "admin", "service/bench": "bench", "attestor/gw1": "attestor"}

GRANTS = {
    "a": """\
kind: grant
name: bench
principal: spiffe://ci.domain-a.example/service/bench
role: PUBLISHER
sources: ["/ci.domain-a.example/%"]
types: ["dev.cdevents.%"]
plane: integration-delivery
""",
    "b": """\
kind: grant
name: bench
principal: spiffe://ci.domain-b.example/service/bench
role: SUBSCRIBER
""",
}

# What a domain might write: by type, source and content. The benchmark's event, a
# finished pipeline run, meets none of the first nineteen.
RULES = [
    ("incidents stay here", "SUBJECT_TYPE() = 'incident'", "DENY"),
    ("tickets stay here", "SUBJECT_TYPE() = 'ticket'", "DENY"),
    ("sandbox", "source LIKE '%/sandbox/%'", "DENY"),
    ("experiments", "source LIKE '%/experiments/%'", "DENY"),
    ("payments staging", "source LIKE '/ci.domain-a.example/staging/payments%'", "DENY"),
    ("started runs", "type LIKE 'dev.cdevents.pipelinerun.started.%'", "DENY"),
    ("queued runs", "type LIKE 'dev.cdevents.pipelinerun.queued.%'", "DENY"),
    ("task runs", "SUBJECT_TYPE() = 'taskrun'", "DENY"),
    ("branches", "SUBJECT_TYPE() = 'branch' OR SUBJECT_TYPE() = 'repository'", "DENY"),
    ("signed artifacts", "type LIKE 'dev.cdevents.artifact.signed.%'", "ALLOW"),
    ("artifacts of people", "type LIKE 'dev.cdevents.artifact.%' AND NOT (HAS_CDEVENT('subject.content.user') AND "
                            "CDEVENT('subject.content.user') = 'ci-internal')", "ALLOW"),
    ("production deployments", "type LIKE 'dev.cdevents.service.%' AND HAS_CDEVENT('subject.content.environment.id') AND "
                               "CDEVENT('subject.content.environment.id') = 'production'", "ALLOW"),
    ("merged changes", "type LIKE 'dev.cdevents.change.merged.%'", "ALLOW"),
    ("test suites", "SUBJECT_TYPE() = 'testsuiterun' AND PREDICATE() = 'finished'", "ALLOW"),
    ("test output", "type LIKE 'dev.cdevents.testoutput.%' AND source LIKE '/ci.domain-a.example/%'", "ALLOW"),
    ("environments", "SUBJECT_TYPE() = 'environment'", "ALLOW"),
    ("builds of releases", "SUBJECT_TYPE() = 'build' AND subject LIKE '%release%'", "ALLOW"),
    ("runs elsewhere", "SUBJECT_TYPE() = 'pipelinerun' AND source LIKE '/ci.domain-a.example/jenkins/%'", "DENY"),
    ("nightly runs", "SUBJECT_TYPE() = 'pipelinerun' AND subject LIKE '%/nightly-%'", "DENY"),
    ("finished runs", "SUBJECT_TYPE() = 'pipelinerun' AND source LIKE '/ci.domain-a.example/tekton/%'", "ALLOW"),
]


def policy(dom, redact=False):
    """A exports, B imports, by the same rules. `redact`: what crosses loses who triggered it,
    and what names other events becomes pseudonyms, which is what a rule does that says nothing."""
    peer, direction = (DOMAINS["b"], "export") if dom == "a" else (DOMAINS["a"], "import")
    rules = "".join(f'    - name: {name}\n      when: "{when}"\n      action: {action}\n' for name, when, action in RULES)
    if direction == "export":
        how = "redact: [customData.trigger.actor]" if redact else "links: KEEP"
        rules = rules.replace("action: ALLOW\n", f"action: ALLOW\n      {how}\n")
    return f"kind: policy\npeer: {peer}\n{direction}:\n  rules:\n{rules}"


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Cdgate(Adapter):
    name = "cdgate"
    title = "cdgate, reader keeps its position"
    order = 1
    packages = ("libgrpc++-dev", "librocksdb-dev")
    guarantees = ("ack after fsync in A; validation, 20 rules and signed statements on both sides, exactly once by identity; B acknowledges to A "
                  "after fsync; the subscriber resumes after its own position, exactly once")
    sub_extra = []
    redact = False
    statements = True

    def start(self, dom):
        d = self.env.sub_dir(dom)
        config = f"{d}/gateway.yaml"
        if not os.path.exists(config):
            self._set_up(dom, d, config)
        gateway = Proc([BINARY, "serve", "--config", config], f"{d}/server.log")
        wait_port(self.env.port(dom))
        self._wait_ready(dom, gateway)
        return gateway

    def _set_up(self, dom, d, config):
        port = self.env.port
        ca = f"{d}/ca"
        text = CONFIG + ATTESTOR if self.statements else CONFIG
        self._local("ca", "init", DOMAINS[dom], "--ca", ca)
        host = ["--dns", "localhost", "--ip", "127.0.0.1"]
        self._local("cert", "issue", "gateway/gw1", "--ca", ca, "--out", f"{d}/gateway", *host)
        for name in FOLDERS:
            self._local("cert", "issue", name, "--ca", ca, "--out", f"{d}/{FOLDERS[name]}")
        peers = port(dom + "-peers")
        write(config, text.format(
            domain=DOMAINS[dom], dir=d, api=port(dom), peers=peers, enrolment=port(dom + "-enrolment"), ops=port(dom + "-ops"),
            advertised=self.env.link_port(peers) if dom == "a" else peers))

    def _wait_ready(self, dom, gateway):
        url = f"http://127.0.0.1:{self.env.port(dom + '-ops')}/readyz"
        for _ in range(3000):
            try:
                with urllib.request.urlopen(url, timeout=1):
                    return
            except OSError:
                if gateway.poll() is not None:
                    break
                time.sleep(0.01)
        raise RuntimeError(f"gateway {dom} is not ready: {gateway.log_text()[-2000:]}")

    @staticmethod
    def _local(*arguments):
        run = subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"cdgate {' '.join(arguments)}: {run.stderr}")
        return run.stdout.strip()

    def _admin(self, dom, *arguments):
        """By the Unix socket, which root and the gateway's user may use without a grant."""
        return self._local(*arguments, "--gateway", f"unix:{self.env.sub_dir(dom)}/data/local.sock")

    def link(self):
        for dom in "ab":
            folder = f"{self.env.sub_dir(dom)}/resources"
            os.makedirs(folder, exist_ok=True)
            write(f"{folder}/grant.yaml", GRANTS[dom])
            self._admin(dom, "apply", "-f", folder)
        token = self._admin("a", "peer", "invite", "--domain", DOMAINS["b"])
        self._admin("b", "peer", "accept", token.split()[0])
        for dom, peer in (("a", "b"), ("b", "a")):
            self._admin(dom, "peer", "approve", DOMAINS[peer])
            self._admin(dom, "policy", "apply", write(f"{self.env.sub_dir(dom)}/policy.yaml", policy(dom, self.redact)), "--unplanned")

    def _client(self, role, dom):
        identity = f"{self.env.sub_dir(dom)}/bench"
        return [f"{BUILD}/bench/cdgate_bench_{role}", "--port", str(self.env.port(dom)), "--ca", f"{identity}/bundle.pem",
                "--cert", f"{identity}/tls.crt", "--key", f"{identity}/tls.key"]

    def publisher(self):
        return self._client("pub", "a")

    def subscriber(self):
        return self._client("sub", "b") + self.sub_extra


class CdgateNamed(Cdgate):
    name = "cdgate-named"
    title = "cdgate, durable subscription with its position in B"
    order = 2
    tests = ("throughput", "fanout")
    guarantees = Cdgate.guarantees.rpartition(";")[0] + "; the subscriber resumes after its last ack, at least once, marked"
    sub_extra = ["--name", "bench"]


class CdgateUnsigned(Cdgate):
    name = "cdgate-unsigned"
    title = "cdgate, gateways that sign no statements"
    order = 4
    guarantees = Cdgate.guarantees.replace("20 rules and signed statements", "20 rules")
    statements = False


class CdgateRedacting(Cdgate):
    name = "cdgate-redact"
    title = "cdgate, one member of each event removed on export"
    order = 3
    tests = ("throughput",)
    redact = True
