"""Two domains on this machine, and what a test may do to them.

    class JourneyTest(harness.DomainsTest):
        def test_an_allowed_event_arrives(self):
            self.domains.alpha.cdgate("publish", "-", identity="publisher", input=...)

    if __name__ == "__main__":
        harness.main()

Each test class gets a pair of domains of its own from deploy/quickstart.sh, in a new
directory that is removed afterwards unless the class failed. ctest sets

    CDGATE_BINARY       the cdgate to test; without it every test is skipped
    CDGATE_E2E_CLIENT   tests/e2e/client.cc, built
    CDGATE_E2E_DIR      where directories of tests are made (default: the system's)
    CDGATE_TEST_NAME    name of the report in the folder that GTEST_OUTPUT names

Only processes that a test started are ended, by their process ids.
"""
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from xml.etree import ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QUICKSTART = os.path.join(ROOT, "deploy", "quickstart.sh")
BINARY = os.environ.get("CDGATE_BINARY", "")
CLIENT = os.environ.get("CDGATE_E2E_CLIENT", "")
FALSE_CLOCK = os.environ.get("CDGATE_FALSE_CLOCK_LIBRARY", "")
# What a program under a sanitizer or on a busy machine may take.
PATIENCE_S = float(os.environ.get("CDGATE_E2E_PATIENCE_S", "60"))


def wait_until(condition, what, timeout=None):
    """Returns the first true value of condition(); fails with `what` after a while."""
    end = time.monotonic() + (timeout or PATIENCE_S)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.02)


class Run:
    """How a command ended."""

    def __init__(self, argv, process):
        self.argv = argv
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def json(self):
        return json.loads(self.out)

    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]

    def __str__(self):
        return f"{' '.join(self.argv)}\nexit status {self.code}\n{self.out}\n{self.err}"


def run(argv, input=None, timeout=None, env=None, cwd=None):
    """Runs a command to its end. Text, unless `input` is bytes."""
    binary = isinstance(input, bytes)
    process = subprocess.run(argv, input=input, stdin=subprocess.DEVNULL if input is None else None,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=not binary,
                             timeout=timeout or PATIENCE_S, env=env, cwd=cwd, check=False)
    if binary:
        process.stdout = process.stdout.decode("utf-8", "replace")
        process.stderr = process.stderr.decode("utf-8", "replace")
    return Run(argv, process)


class Domain:
    """One domain and its gateway."""

    # A command behind which all programs of the domain run, such as nsenter.
    before = ()

    def __init__(self, short, directory, api):
        self.short = short  # "alpha"
        self.name = f"{short}.example"
        self.root = directory  # of both domains
        self.dir = os.path.join(directory, short)
        self.api = api

    def identity(self, name):
        """Directory of an identity: gateway, attestor, admin, publisher or subscriber."""
        return os.path.join(self.dir, "identity", name)

    def ca(self):
        """Directory of the domain's CA: ca.crt and ca.key."""
        return os.path.join(self.dir, "ca")

    def config(self):
        with open(os.path.join(self.dir, "gateway.yaml"), encoding="utf-8") as file:
            return file.read()

    def address(self, listener):
        """Of a listener, as gateway.yaml says: peers, api, ops."""
        match = re.search(rf"^\s+{listener}:\s*\"?([^\s\"#]+)", self.config().split("listeners:", 1)[1], re.MULTILINE)
        return match.group(1)

    def pid(self):
        with open(os.path.join(self.dir, "gateway.pid"), encoding="utf-8") as file:
            return int(file.read())

    def log(self):
        with open(os.path.join(self.dir, "gateway.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def running(self):
        try:
            with open(f"/proc/{self.pid()}/stat", encoding="utf-8") as file:
                return file.read().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def kill(self):
        """kill -9, and the process is gone when this returns."""
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.running(), f"process {pid} ends")

    def start(self):
        """Starts the gateway again on the same data; returns when it serves."""
        quickstart(self.root, "--start", self.short)

    def start_behind(self, *before, options=()):
        """Starts the gateway through a command that becomes it, such as env or unshare, and with
        further options of serve; returns at once."""
        with open(os.path.join(self.dir, "gateway.log"), "ab") as log:
            process = subprocess.Popen([*self.before, *before, BINARY, "serve", "--config", f"{self.dir}/gateway.yaml", *options],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        threading.Thread(target=process.wait, daemon=True).start()
        with open(os.path.join(self.dir, "gateway.pid"), "w", encoding="utf-8") as file:
            file.write(f"{process.pid}\n")

    def wait_until_it_serves(self):
        wait_until(lambda: self.cdgate("status").code == 0, f"{self.name} serves")

    def resident_bytes(self):
        with open(f"/proc/{self.pid()}/status", encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024

    def cdgate(self, *arguments, identity="admin", input=None, timeout=None):
        """Runs the command line against this gateway."""
        return run([*self.before, BINARY, *arguments, "--gateway", self.api, "--identity", self.identity(identity)],
                   input=input, timeout=timeout)

    def client(self, command, *arguments, identity):
        """argv of the test client against this gateway."""
        return [*self.before, CLIENT, command, "--gateway", self.api, "--identity", self.identity(identity), *map(str, arguments)]

    def metrics(self):
        """{'name{labels}': value} of the gateway's /metrics."""
        with urllib.request.urlopen(f"http://{self.address('ops')}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def refusals(self, reason):
        """How often the gateway counted a reason, over all of its metrics."""
        label = f'reason="{reason.lower()}"'
        return sum(value for name, value in self.metrics().items() if label in name)


def quickstart(directory, *options):
    """deploy/quickstart.sh for the domains in `directory`; fails with what it printed."""
    result = run([QUICKSTART, "--dir", directory, "--no-build", "--cdgate", BINARY, *options],
                 timeout=4 * PATIENCE_S)
    if result.code != 0:
        raise AssertionError(f"quickstart failed: {result}")
    return result


class Domains:
    """alpha.example and beta.example, peered. With a `via`, their link goes through it."""

    def __init__(self, directory, via=None, options=()):
        self.dir = directory
        options = [*options, *(["--peer-via", via.address] if via else [])]
        self.output = quickstart(directory, *options).out
        with open(os.path.join(directory, "env.sh"), encoding="utf-8") as file:
            env = dict(re.findall(r"^export (\w+)=\"?([^\"\n]*)", file.read(), re.MULTILINE))
        self.alpha = Domain("alpha", directory, env["CDGATE_ALPHA"])
        self.beta = Domain("beta", directory, env["CDGATE_BETA"])
        if via:
            via.forward_to(self.alpha.address("peers"))

    def stop(self):
        quickstart(self.dir, "--stop")

    def wait_for_link(self):
        """Until the link between the domains carries events."""
        def up():
            shown = self.beta.cdgate("peer", "show", self.alpha.name, "-o", "json")
            return shown.code == 0 and re.search(r'"state": *"(LINK_STATE_)?UP"', shown.out)
        wait_until(up, "the link is up")


class Forwarder:
    """A TCP connection between the domains that a test can cut.

    Listens from the beginning; passes bytes on once forward_to() was called.
    """

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._mutex = threading.Lock()
        self._target = None
        self._open = True
        self._cuts = 0
        self._pairs = []
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def forward_to(self, address):
        host, _, port = address.rpartition(":")
        with self._mutex:
            self._target = (host, int(port))

    def cut(self, seconds=0):
        """Resets every connection, and refuses new ones for a while."""
        with self._mutex:
            self._open = False
            self._cuts += 1
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _reset(end)
        time.sleep(seconds)
        with self._mutex:
            self._open = True

    def close(self):
        self.cut()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                incoming, _ = self._listener.accept()
            except OSError:
                return
            with self._mutex:
                target = self._target if self._open else None
                cuts = self._cuts
            try:
                outgoing = socket.create_connection(target, timeout=5) if target else None
            except OSError:
                outgoing = None
            if outgoing is None:
                _reset(incoming)
                continue
            self._forward(incoming, outgoing, cuts)

    def _forward(self, incoming, outgoing, cuts):
        outgoing.settimeout(None)
        for end in (incoming, outgoing):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._mutex:
            still = cuts == self._cuts  # else it was being made while all were cut, and to another target maybe
            if still:
                self._pairs.append((incoming, outgoing))
                self.connections += 1
        if not still:
            _reset(incoming)
            _reset(outgoing)
            return
        for source, sink, passed in ((incoming, outgoing, lambda count: None), (outgoing, incoming, self.passed)):
            threading.Thread(target=_pump, args=(source, sink, passed), daemon=True).start()

    def passed(self, count):
        """Told of the bytes that the dialled side sent; for those who count them."""


def _reset(end):
    """Closes so that the other side sees a reset."""
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()


def _pump(source, sink, passed):
    try:
        while data := source.recv(1 << 16):
            passed(len(data))
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        _reset(source)
        _reset(sink)


class DomainsTest(unittest.TestCase):
    """A test class with a pair of domains of its own, whose gateways sign statements unless
    `attestor` is set to False. `via` may be set to a callable that makes the forwarder between
    them, `options` to further ones of the quickstart."""

    via = None
    attestor = True
    options = ()
    domains = None

    @classmethod
    def setUpClass(cls):
        if not BINARY:
            raise unittest.SkipTest("CDGATE_BINARY is not set")
        base = os.environ.get("CDGATE_E2E_DIR")
        if base:
            os.makedirs(base, exist_ok=True)
        cls.dir = tempfile.mkdtemp(prefix=cls.__name__ + ".", dir=base)
        cls.forwarder = cls.via() if cls.via else None
        cls.failed = False
        try:
            cls.prepare(os.path.join(cls.dir, "domains"))
            options = [*cls.options, *([] if cls.attestor else ["--no-attestor"])]
            cls.domains = Domains(os.path.join(cls.dir, "domains"), cls.forwarder, options)
        except BaseException:
            cls.failed = True
            cls._end()
            raise

    @classmethod
    def prepare(cls, directory):
        """What has to be in the domains' directory before the quickstart, which keeps it."""

    @classmethod
    def tearDownClass(cls):
        cls._end()

    @classmethod
    def _end(cls):
        domains = os.path.join(cls.dir, "domains")
        if os.path.isdir(domains):
            run([QUICKSTART, "--stop", "--dir", domains], timeout=4 * PATIENCE_S)
        if cls.forwarder:
            cls.forwarder.close()
        if cls.failed:
            print(f"kept for a look: {cls.dir}", file=sys.stderr)
        else:
            shutil.rmtree(cls.dir, ignore_errors=True)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            type(self).failed = True
        return result

    def path(self, name):
        """A file of the test's own."""
        return os.path.join(self.dir, name)

    def assert_run(self, result, code=0):
        self.assertEqual(result.code, code, str(result))
        return result

    def subscribe(self, domain, count, pattern="%"):
        """The first `count` events whose ids are like the pattern, as the command line
        prints them."""
        result = domain.cdgate("subscribe", "--from", "earliest", "--max", str(count), "--filter", f"id LIKE '{pattern}'",
                               "-o", "json", identity="subscriber")
        return self.assert_run(result).json_lines()


def set_clock(file, seconds):
    """The clock that `file` stands for is ahead by that much from now on, or behind where it is negative."""
    with open(file, "r+b" if os.path.exists(file) else "wb", buffering=0) as clock:
        clock.write(struct.pack("=q", seconds))


def false_clock(file):
    """A command behind which a program's wall clock is what set_clock() says of `file`; right where it did not."""
    if not os.path.exists(file):
        set_clock(file, 0)
    return ["env", f"LD_PRELOAD={FALSE_CLOCK}", f"CDGATE_FALSE_CLOCK={file}"]


def install_node_example(name):
    """A copy of deploy/examples/NAME with the packages that its lock file names, kept from run
    to run. Skips where node, npm or what npm fetches is not there."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise unittest.SkipTest("node and npm are not installed")
    base = os.environ.get("CDGATE_E2E_DIR") or os.path.join(ROOT, "build", "e2e")
    folder = os.path.join(base, name)
    os.makedirs(base, exist_ok=True)
    with open(f"{folder}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run at the same time
        return fill_node_example(name, folder)


def fill_node_example(name, folder):
    source = os.path.join(ROOT, "deploy", "examples", name)
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    stamp, lock = os.path.join(folder, "installed"), os.path.join(folder, "package-lock.json")
    with open(lock, encoding="utf-8") as file:
        wanted = file.read()
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            if file.read() == wanted:
                return folder
    result = run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, timeout=180)
    if result.code != 0:
        raise unittest.SkipTest(f"npm ci failed: {result.err.strip().splitlines()[-1:]}")
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(wanted)
    return folder


def cdevent(event_id, kind="service.deployed.0.2.0", source="/event/source/e2e", **custom):
    """A conforming CDEvent as a dict; the content suits services."""
    subject = kind.split(".")[0]
    content = {"environment": {"id": "prod"}, "artifactId": "pkg:oci/app@sha256:0f1e2d3c"}
    if subject == "pipelinerun":
        subject, content = "pipelineRun", {"outcome": "success"}
    return {"context": {"version": "0.4.1", "id": event_id, "source": source, "type": f"dev.cdevents.{kind}",
                        "timestamp": "2025-05-20T10:15:42.318Z"},
            "subject": {"id": "app", "type": subject, "content": content},
            "customDataContentType": "application/json", "customData": custom}


# --- running

class _Result(unittest.TextTestResult):
    """Remembers every case for the report."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cases = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.cases.append((test.id(), None, ""))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.cases.append((test.id(), "failure", self._exc_info_to_string(err, test)))

    def addError(self, test, err):
        super().addError(test, err)
        self.cases.append((test.id(), "failure", self._exc_info_to_string(err, test)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.cases.append((test.id(), "skipped", reason))


def _write_report(cases):
    """In the form of GoogleTest, so that one summary counts all cases."""
    folder, name = os.environ.get("GTEST_OUTPUT", ""), os.environ.get("CDGATE_TEST_NAME")
    if not folder.startswith("xml:") or not folder.endswith("/") or not name:
        return
    suite = ElementTree.Element("testsuite", name=name)
    for test, outcome, text in cases:
        case = ElementTree.SubElement(suite, "testcase", status="run", name=test.rpartition(".")[2],
                                      classname=name + "." + test.rpartition(".")[0].rpartition(".")[2])
        if outcome:
            ElementTree.SubElement(case, outcome, message=text)
    ElementTree.ElementTree(suite).write(os.path.join(folder[len("xml:"):], name + ".xml"))


def main(arguments=None):
    """Runs the tests of the calling module, with arguments of unittest's (by default the
    program's); exits as unittest does."""
    arguments = sys.argv[1:] if arguments is None else arguments
    runner = unittest.TextTestRunner(verbosity=2, resultclass=_Result)
    program = unittest.main(module="__main__", argv=[sys.argv[0], *arguments], testRunner=runner, exit=False)
    _write_report(program.result.cases)
    sys.exit(not program.result.wasSuccessful())
