"""Load on the gateways of gateways.py: what is published and read, and what it costs the gateway."""
import contextlib
import json
import os
import secrets
import signal
import subprocess
import time

BURST = 64         # events that are due at once
SETTLE_S = 2       # before something is measured
IDLE_S = 4         # for which a gateway's cost of having nothing to do is looked at
SUMMARISING_S = 8  # after which a gateway has summarised, for searches, what was published


def new_run():
    """A name that tells events of one run from others, of 16 characters."""
    return secrets.token_hex(8)


def publish(gateway, count, *, run=None, size=1024, rate=0, burst=BURST, batch=128, window=4096):
    """Publishes to the end; what cdgate_bench_pub says of it. `rate`: events a second, in bursts; 0: as fast as they are taken."""
    run = run or new_run()
    out = f"{gateway.folder}/pub-{run}.json"
    argv = [gateway.programs.pub, *gateway.client(), "--count", count, "--rate", rate, "--burst", burst, "--batch", batch,
            "--window", window, "--run", run, "--size", size, "--out", out]
    subprocess.run(list(map(str, argv)), check=True, stdin=subprocess.DEVNULL, timeout=600)
    said = _read(out)
    if said["acked"] != count:
        raise RuntimeError(f"{said['acked']} of {count} were taken: {said['note']}")
    return said


class Subscriber:
    """One stream that gets everything, acknowledged; ended after `count` events of the run."""

    def __init__(self, gateway, count, run):
        self.out = f"{gateway.folder}/sub-{run}.json"
        argv = [gateway.programs.sub, *gateway.client(), "--count", count, "--run", run, "--conns", 1, "--prefetch", 1000,
                "--idle-s", 60, "--max-s", 300, "--out", self.out]
        self.process = subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "READY\n":
            raise RuntimeError("the subscriber did not start")

    def result(self):
        """Of when all have come."""
        self.process.wait(300)
        said = _read(self.out)
        if said["unique"] != said["expected"] or said["dups"]:
            raise RuntimeError(f"not each event came once: {said}")
        return said


class Streams:
    """Many live streams of cdgate_e2e_fanout, which publishes itself where `count` is not 0."""

    def __init__(self, gateway, *, connections, subscribers=0, silent=0, idle=0, everything=False, rate=1, count=0):
        argv = [gateway.programs.fanout, "--gateway", f"localhost:{gateway.port['api']}", "--publisher", f"{gateway.folder}/bench",
                "--subscriber", f"{gateway.folder}/bench", "--subscribers", subscribers, "--silent", silent, "--connections", connections,
                "--rate", rate, "--count", count, "--seed", secrets.randbelow(1 << 24), "--idle", idle]
        argv += ["--everything"] if everything else []
        self.process = subprocess.Popen(list(map(str, argv)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the streams did not begin")

    def go(self):
        """Lets it publish, ends it; what it says of the deliveries."""
        said, _ = self.process.communicate("go\n", timeout=300)
        if self.process.returncode != 0:
            raise RuntimeError(f"something did not come, or wrongly: {said}")
        return json.loads(said)


@contextlib.contextmanager
def streams(gateway, **what):
    """Streams that are there meanwhile."""
    made = Streams(gateway, **what)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.send_signal(signal.SIGTERM)
            made.process.wait(60)


def cpu_s(gateways):
    return sum(gateway.cpu_s() for gateway in gateways)


def idle_share(*gateways):
    """Of a processor, that they use while nothing is published."""
    time.sleep(SETTLE_S)
    began, before = time.monotonic(), cpu_s(gateways)
    time.sleep(IDLE_S)
    return (cpu_s(gateways) - before) / (time.monotonic() - began)


def cost_s(gateways, do):
    """Processor time of the gateways while do() is under way, less what they use when nothing is; that share; what do() returns."""
    idle = idle_share(*gateways)
    began, before = time.monotonic(), cpu_s(gateways)
    result = do()
    used, took = cpu_s(gateways) - before, time.monotonic() - began
    return used - idle * took, idle, result


def look_up(gateway, by, run, count, lookups=2000):
    """What cdgate_bench_lookup says."""
    argv = [gateway.programs.lookup, *gateway.client(), "--by", by, "--run", run, "--count", count, "--lookups", lookups,
            "--seed", secrets.randbelow(1 << 31)]
    done = subprocess.run(list(map(str, argv)), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=120)
    return json.loads(done.stdout)


def _read(path):
    with open(path, encoding="utf-8") as file:
        said = json.load(file)
    os.remove(path)
    return said
