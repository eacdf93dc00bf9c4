"""What growth.py measures: one function for each dimension, which yields

    {"dimension": "peers", "series": "relay", "x": 10, "round": 1, "values": {"cpu_us_per_event": 41.2, ...}}
"""
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time

from gateways import Gateway, connect, export, lag, links_up, wait_until
from load import BURST, SUMMARISING_S, Subscriber, cost_s, idle_share, look_up, new_run, publish, streams

KIB = 1024
PEERS = (1, 10, 100)
SUBSCRIPTIONS = (1, 10, 100, 1000, 10000)
EVERYTHING = (1, 10, 100, 1000)
RULES = (1, 10, 20, 100, 1000)
EVENTS = (10_000, 100_000, 1_000_000, 10_000_000)
PAYLOADS_KIB = (1, 4, 16, 64, 256, 512)
FILL = 2_500_000          # events that are published at once to fill a log
STREAMS_A_CONNECTION = 40


class World:
    """The directory that gateways are in, and the lock that is held while something is under way."""

    def __init__(self, programs, folder, rounds, lock):
        self.programs, self.folder, self.rounds, self.lock = programs, folder, rounds, lock
        self.gateways = []

    def gateway(self, short):
        made = Gateway(self.programs, f"{self.folder}/{short}", f"{short}.example")
        self.gateways.append(made)
        made.set_up()
        made.start()
        made.grant()
        return made

    def end(self):
        for gateway in self.gateways:
            if gateway.process is not None:
                gateway.process.send_signal(signal.SIGTERM)  # all at once
        for gateway in self.gateways:
            gateway.stop()
        self.gateways = []
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def fresh(self):
        """An empty directory; what was started in it is ended afterwards."""
        self.end()
        os.makedirs(self.folder)
        try:
            yield
        finally:
            with self.lock:
                self.end()


def row(dimension, series, x, number, **values):
    return {"dimension": dimension, "series": series, "x": x, "round": number,
            "values": {name: round(value, 4) for name, value in values.items()}}


def in_bursts(gateway, rate, seconds):
    """Publishes; what an event cost, in microseconds."""
    count = rate * seconds // BURST * BURST
    used, idle, _ = cost_s([gateway], lambda: publish(gateway, count, rate=rate))
    return {"cpu_us_per_event": 1e6 * used / count, "idle_cpu_percent": 100 * idle}


def add_peers(world, hub, count):
    """Until it has so many."""
    for number in range(len(world.gateways) - 1, count):
        with world.lock:
            connect(hub, world.gateway(f"peer{number}"))
    wait_until(lambda: links_up(hub) == count, f"{count} links are up")


def relay(hub, count):
    """Bursts to all peers, until all have them."""
    events = 320 * 10

    def do():
        publish(hub, events, rate=320)
        wait_until(lambda: lag(hub) == 0, "all peers have all")
    used, idle, _ = cost_s([hub], do)
    rss, pss = hub.memory_mb()
    return {"cpu_us_per_event": 1e6 * used / events, "cpu_us_per_copy": 1e6 * used / events / count, "rss_mb": rss, "pss_mb": pss,
            "idle_cpu_percent": 100 * idle}


def peers(world):
    with world.fresh():
        with world.lock:
            hub = world.gateway("hub")
        for count in PEERS:
            add_peers(world, hub, count)
            for number in range(world.rounds):
                with world.lock:
                    yield row("peers", "relay", count, number, **relay(hub, count))


def silent_round(gateway, count):
    """One stream gets everything, the others nothing. Fast, so that heartbeats of ten thousand are little beside it."""
    others, before = count - 1, gateway.memory_mb()[0]
    rate, events, run = 100 * BURST, 1000 * BURST, new_run()
    with streams(gateway, connections=max(1, -(-others // STREAMS_A_CONNECTION)), silent=others):
        held_mb = gateway.memory_mb()[0] - before
        subscriber = Subscriber(gateway, events, run)
        used, idle, _ = cost_s([gateway], lambda: (publish(gateway, events, run=run, rate=rate), subscriber.result()))
    return {"cpu_us_per_event": 1e6 * used / events, "idle_cpu_percent": 100 * idle, "kib_per_stream": held_mb * KIB / count}


def everything_round(gateway, count):
    """Each stream gets each event, which comes alone."""
    events = 300
    with streams(gateway, connections=-(-count // 10), subscribers=count, everything=True, rate=20, count=events) as made:
        used, idle, said = cost_s([gateway], made.go)
    return {"cpu_us_per_event": 1e6 * used / events, "cpu_us_per_delivery": 1e6 * used / said["deliveries"], "p99_ms": said["p99_ms"],
            "idle_cpu_percent": 100 * idle}


def named_rounds(world, count):
    """Named subscriptions that nobody reads by, beside one stream."""
    with world.lock:
        gateway = world.gateway(f"named{count}")
        if count > 1:
            with streams(gateway, connections=1, idle=count - 1) as made:
                made.go()
        gateway.stop()
    for number in range(world.rounds):
        with world.lock:
            seconds = gateway.start()
            values = silent_round(gateway, 1)
            gateway.stop()
            yield row("subscriptions", "named", count, number, start_s=seconds, **values)


def live_rounds(world, series, counts, measure):
    with world.lock:
        gateway = world.gateway(series)
    for count in counts:
        for number in range(world.rounds):
            with world.lock:
                gateway.stop()
                gateway.start()
                yield row("subscriptions", series, count, number, **measure(gateway, count))
    with world.lock:
        gateway.stop()


def subscriptions(world):
    with world.fresh():
        yield from live_rounds(world, "silent", SUBSCRIPTIONS, silent_round)
        yield from live_rounds(world, "everything", EVERYTHING, everything_round)
        for count in SUBSCRIPTIONS:
            yield from named_rounds(world, count)


def rule_decisions(world):
    """The decision alone, by the micro-benchmark."""
    with world.lock:
        done = subprocess.run([world.programs.policy, "--benchmark_filter=DecideRules", "--benchmark_format=json",
                               f"--benchmark_repetitions={world.rounds}", "--benchmark_min_time=0.2"],
                              check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] == "iteration":
            name, _, count = run["run_name"].partition("/")
            series = {"DecideRules": "attributes", "DecideRulesOnData": "data"}[name]
            yield row("rules", series, int(count), run["repetition_index"], decision_us=run["cpu_time"] / 1000)


def rules(world):
    yield from rule_decisions(world)
    with world.fresh():
        with world.lock:
            hub, peer = world.gateway("hub"), world.gateway("peer")
            connect(hub, peer, imported=1)
        for number in range(world.rounds):
            for count in RULES:
                with world.lock:
                    export(hub, peer, count)
                    wait_until(lambda: links_up(hub) == 1, "the link is up")
                    yield row("rules", "gateway", count, number, **in_bursts(hub, 10 * BURST, 10))


def fill(world, gateway, runs, total):
    """Publishes until the log has so many; `runs` has [name, events] of what was published."""
    missing = total - sum(count for _, count in runs)
    while missing > 0:
        count = min(FILL, missing)
        runs.append((new_run(), count))
        with world.lock:
            publish(gateway, count, run=runs[-1][0])
        missing -= count


def log_round(gateway, runs, total, seed):
    """Starts it three times, and looks up: as after a boot, and with the log in the kernel's memory."""
    gateway.stop()
    values = {"start_s": gateway.start()}
    values["rss_mb"], values["pss_mb"] = gateway.memory_mb()
    gateway.stop(signal.SIGKILL)
    values["start_after_kill_s"] = gateway.start()
    gateway.stop()
    gateway.forget_pages()
    values["start_cold_s"] = gateway.start()
    run, count = random.Random(seed).choices(runs, [count for _, count in runs])[0]
    values["first_sequence_p50_us"] = look_up(gateway, "sequence", run, total, lookups=500)["p50_us"]
    gateway.read_pages()
    look_up(gateway, "sequence", run, total)
    for by in ("sequence", "id", "absent"):
        said = look_up(gateway, by, run, total if by == "sequence" else count)
        values[f"{by}_p50_us"], values[f"{by}_p99_us"] = said["p50_us"], said["p99_us"]
    values["rss_after_lookups_mb"] = gateway.memory_mb()[0]
    return values


def disk_mb(gateway):
    """{folder of its data: MB}"""
    sizes = {}
    for folder in ("log", "state"):
        files = [os.path.join(path, name) for path, _, names in os.walk(f"{gateway.folder}/data/{folder}") for name in names]
        sizes[f"disk_{folder}_mb"] = sum(map(os.path.getsize, files)) / 1e6
    return sizes


def log(world):
    with world.fresh():
        with world.lock:
            gateway = world.gateway("log")
        runs = []
        for total in EVENTS:
            fill(world, gateway, runs, total)
            rss, pss = gateway.memory_mb()
            yield row("log", "filled", total, 0, rss_mb=rss, pss_mb=pss, **disk_mb(gateway))
            for number in range(world.rounds):
                with world.lock:
                    yield row("log", "log", total, number, **log_round(gateway, runs, total, number))


def payload_round(hub, peer, kib):
    """Relayed as fast as it goes, to a subscriber at the peer. Events are summarised in blocks of 4,096: not fewer."""
    size = kib * KIB
    count = max(4096, min(50_000, (256 << 20) // size))
    window, batch = max(16, min(4096, (16 << 20) // size)), max(1, min(128, 900_000 // (size + 500)))
    run = new_run()
    subscriber = Subscriber(peer, count, run)

    def do():
        said = publish(hub, count, run=run, size=size, window=window, batch=batch)
        arrived = subscriber.result()
        time.sleep(SUMMARISING_S)
        return (arrived["t_last_unique_ns"] - said["t_start_ns"]) / 1e9
    used, _, seconds = cost_s([hub, peer], do)
    return {"cpu_us_per_event": 1e6 * used / count, "cpu_us_per_kib": 1e6 * used / count / kib, "events_per_s": count / seconds,
            "mb_per_s": count * size / seconds / 1e6, "hub_rss_mb": hub.memory_mb()[0], "peer_rss_mb": peer.memory_mb()[0]}


def payload(world):
    """Each with gateways of its own: what is summarised later is of events of that size."""
    for number in range(world.rounds):
        for kib in PAYLOADS_KIB:
            with world.lock, world.fresh():
                hub, peer = world.gateway("hub"), world.gateway("peer")
                connect(hub, peer)
                wait_until(lambda: links_up(hub) == 1, "the link is up")
                yield row("payload", "relay", kib, number, **payload_round(hub, peer, kib))


def held(gateway, series, x, number):
    rss, pss = gateway.memory_mb()
    return row("memory", series, x, number, rss_mb=rss, pss_mb=pss)


def with_streams(hub, count, number):
    """The hub with so many live streams besides its links: before and after events."""
    connections = -(-count // STREAMS_A_CONNECTION)
    with streams(hub, connections=connections, subscribers=count, rate=100, count=3000) as made:
        yield held(hub, "1,000 streams with filters", 100, number)
        made.go()
        wait_until(lambda: lag(hub) == 0, "all peers have all")
        yield held(hub, "after 3,000 events, each for ten of them", 100, number)
    with streams(hub, connections=connections, subscribers=count, everything=True, rate=20, count=300) as made:
        publish(hub, 640, rate=64)
        wait_until(lambda: lag(hub) == 0, "all peers have all")
        yield held(hub, "1,000 streams without filters, after 640 events in bursts", 100, number)


def memory(world):
    with world.fresh():
        for number in range(world.rounds):
            with world.lock:
                alone = world.gateway(f"alone{number}")
                idle_share(alone)
                yield held(alone, "idle, no peer", 0, number)
                alone.stop()
        world.gateways.clear()
        with world.lock:
            hub = world.gateway("hub")
        add_peers(world, hub, 100)
        for number in range(world.rounds):
            with world.lock:
                hub.stop()
                hub.start()
                wait_until(lambda: links_up(hub) == 100, "all links are up")
                idle_share(hub)
                yield held(hub, "100 links", 100, number)
            with world.lock:
                yield from with_streams(hub, 1000, number)


ALL = {"peers": peers, "subscriptions": subscriptions, "rules": rules, "log": log, "payload": payload, "memory": memory}
