"""Gateways on this machine, for growth.py: each with a domain, a CA and a directory of its own, on loopback.

    gateway = Gateway(programs, "build/growth-work/a", "a.example")
    gateway.set_up()
    seconds = gateway.start()
    before = gateway.cpu_s()
    gateway.stop()
"""
import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request

CONFIG = """\
domain: {domain}
data_dir: {folder}/data
identity:
  certificate: {folder}/gateway/tls.crt
  key: {folder}/gateway/tls.key
  bundle: {folder}/gateway/bundle.pem
attestor:
  certificate: {folder}/attestor/tls.crt
  key: {folder}/attestor/tls.key
listeners:
  peers: 127.0.0.1:{peers}
  api: 127.0.0.1:{api}
  enrolment: 127.0.0.1:{enrolment}
  ops: 127.0.0.1:{ops}
advertise:
  peers: localhost:{peers}
  enrolment: localhost:{enrolment}
limits:
  max_connections: 4000
  max_connections_per_address: 4000
logging:
  level: warning
"""
GRANTS = """\
kind: grant
name: publisher
principal: spiffe://{domain}/service/bench
role: PUBLISHER
sources: ["/ci.domain-a.example/%", "/event/source/%"]
types: ["dev.cdevents.%"]
plane: integration-delivery
---
kind: grant
name: subscriber
principal: spiffe://{domain}/service/bench
role: SUBSCRIBER
"""
LISTENERS = ("peers", "api", "enrolment", "ops")
PATIENCE_S = 120
_next_port = 20000  # below the range that outgoing connections take theirs from


class Programs:
    """Where they are. `build`: a build directory with benchmarks, load generators and tests."""

    def __init__(self, build, gateway=None):
        self.gateway = gateway or f"{build}/gateway/cmd/cdgate"
        self.pub = f"{build}/bench/cdgate_bench_pub"
        self.sub = f"{build}/bench/cdgate_bench_sub"
        self.lookup = f"{build}/bench/cdgate_bench_lookup"
        self.fanout = f"{build}/tests/e2e/cdgate_e2e_fanout"
        self.policy = f"{build}/federation/policy/policy_benchmark"


def free_port():
    """One that nobody listens on, another each time."""
    global _next_port
    while _next_port < 32000:
        _next_port += 1
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", _next_port))
            return _next_port
    raise RuntimeError("there is no free port")


def wait_until(condition, what, pause_s=0.5):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited in vain: {what}")
        time.sleep(pause_s)


class Gateway:
    def __init__(self, programs, folder, domain):
        self.programs, self.folder, self.domain = programs, os.path.abspath(folder), domain
        self.port = {name: free_port() for name in LISTENERS}
        self.process = None

    def set_up(self):
        os.makedirs(self.folder, mode=0o700)
        ca = f"{self.folder}/ca"
        self._run("ca", "init", self.domain, "--ca", ca)
        for name, folder in (("gateway/gw1", "gateway"), ("attestor/gw1", "attestor"), ("service/bench", "bench")):
            host = ["--dns", "localhost", "--ip", "127.0.0.1"] if folder == "gateway" else []
            self._run("cert", "issue", name, "--ca", ca, "--out", f"{self.folder}/{folder}", *host)
        with open(f"{self.folder}/gateway.yaml", "w", encoding="utf-8") as file:
            file.write(CONFIG.format(domain=self.domain, folder=self.folder, **self.port))

    def start(self):
        """Seconds until it is ready."""
        began = time.monotonic()
        with open(f"{self.folder}/gateway.log", "ab") as log:
            self.process = subprocess.Popen([self.programs.gateway, "serve", "--config", f"{self.folder}/gateway.yaml"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() - began > PATIENCE_S:
                raise RuntimeError(f"{self.domain} is not ready; see {self.folder}/gateway.log")
            time.sleep(0.002)
        return time.monotonic() - began

    def stop(self, by=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(by)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def grant(self):
        self.admin("apply", "-f", "-", text=GRANTS.format(domain=self.domain))

    def admin(self, *arguments, text=None):
        """The command line, by the Unix socket, which needs no grant."""
        return self._run(*arguments, "--gateway", f"unix:{self.folder}/data/local.sock", text=text)

    def client(self):
        """What load generators are told."""
        identity = f"{self.folder}/bench"
        return ["--port", str(self.port["api"]), "--ca", f"{identity}/bundle.pem", "--cert", f"{identity}/tls.crt",
                "--key", f"{identity}/tls.key"]

    def cpu_s(self):
        """Processor time that it used since it began, threads that have ended included."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # what clock_getcpuclockid() makes of a process

    def memory_mb(self):
        """(RSS, PSS)"""
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            text = file.read()
        return tuple(int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1]) / 1024 for name in ("Rss", "Pss"))

    def metrics(self):
        """{'name{labels}': value}"""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port['ops']}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def forget_pages(self):
        """Drops what the kernel has in memory of its data, as after a boot of the machine."""
        os.sync()
        for file in self._data():
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def read_pages(self):
        """Has the kernel hold its data in memory, as far as there is room."""
        for file in self._data():
            while file.read(1 << 20):
                pass

    def _data(self):
        for folder, _, names in os.walk(f"{self.folder}/data"):
            for name in names:
                with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb", buffering=0) as file:
                    yield file

    def _ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port['ops']}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def _run(self, *arguments, text=None):
        run = subprocess.run([self.programs.gateway, *arguments], input=text, stdin=None if text else subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"cdgate {' '.join(arguments)}: {run.stderr}")
        return run.stdout.strip()


def rules(count, last=""):
    """So many rules of which the last one decides about what the load generators publish."""
    conditions = ("type LIKE 'dev.cdevents.testcaserun.%' AND source = '/{}'", "SUBJECT_TYPE() = 'environment' AND HOPS() < {}",
                  "source LIKE '/other/{}/%' OR subject = 'none'")
    lines = [f'    - {{name: "rule {i}", when: "{conditions[i % 3].format(i)}", action: DENY}}\n' for i in range(1, count)]
    return "".join(lines) + f"    - {{name: rest, when: \"type LIKE 'dev.cdevents.%'\", action: ALLOW{last}}}\n"


def export(gateway, peer, count):
    """Lets `gateway` give `peer` everything, by the last of so many rules."""
    text = f"kind: policy\npeer: {peer.domain}\nexport:\n  rules:\n" + rules(count, ", links: KEEP")
    gateway.admin("policy", "apply", "-", "--unplanned", text=text)


def connect(gateway, peer, exported=20, imported=20):
    """Makes `peer` a peer of `gateway`, which it dials and takes everything from, by so many rules on each side."""
    token = gateway.admin("peer", "invite", "--domain", peer.domain)
    peer.admin("peer", "accept", token.split()[0])
    gateway.admin("peer", "approve", peer.domain)
    peer.admin("peer", "approve", gateway.domain)
    export(gateway, peer, exported)
    text = f"kind: policy\npeer: {gateway.domain}\nimport:\n  rules:\n" + rules(imported)
    peer.admin("policy", "apply", "-", "--unplanned", text=text)


def links_up(gateway):
    return sum(value for name, value in gateway.metrics().items() if name.startswith("cdgate_link_up{"))


def lag(gateway):
    """Events that peers of the gateway do not have on disk yet."""
    return sum(value for name, value in gateway.metrics().items()
               if name.startswith("cdgate_link_lag_events{") and 'direction="export"' in name)
