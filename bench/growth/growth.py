#!/usr/bin/env python3
"""How cost grows with peers, subscriptions, rules, the log, and the size of events: measures, and draws.

    cmake -B build/growth -G Ninja -DCMAKE_BUILD_TYPE=Release -DCDGATE_BUILD_BENCHMARKS=ON -DCDGATE_BENCH_COMMON=$RELAY_BENCH/src
    ninja -C build/growth cdgate cdgate_bench_pub cdgate_bench_sub cdgate_bench_lookup cdgate_e2e_fanout policy_benchmark
    bench/growth/growth.py peers         one of peers, subscriptions, rules, log, payload, memory
    bench/growth/growth.py all           each of them, in about an hour and with 15 GB of disk
    bench/growth/growth.py plot          bench/growth/*.svg, and the tables, of results.jsonl

Results of a dimension take the place of older ones of it in results.jsonl."""
import argparse
import fcntl
import json
import os
import signal
import sys
import time

import dimensions
import plot
from gateways import Programs

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Lock:
    """A context in which nobody else has the file's lock. What follows within STRETCH_S of when it was got has it as well."""

    STRETCH_S = 90

    def __init__(self, path):
        self.path, self.file, self.since = path, None, 0

    def __enter__(self):
        if self.path is not None and self.file is None:
            self.file = open(self.path, "ab")
            fcntl.flock(self.file, fcntl.LOCK_EX)
            self.since = time.monotonic()

    def __exit__(self, *_):
        if time.monotonic() - self.since > self.STRETCH_S:
            self.release()

    def release(self):
        if self.file is not None:
            self.file.close()
            self.file = None


def measure(name, world, results):
    rows = []
    for row in dimensions.ALL[name](world):
        print(json.dumps(row), flush=True)
        rows.append(row)
    kept = [row for row in plot.load(results) if row["dimension"] != name] if os.path.exists(results) else []
    with open(results, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in kept + rows)


def draw(results, folder):
    rows = plot.load(results)
    for name, picture in plot.pictures(rows).items():
        with open(f"{folder}/{name}.svg", "w", encoding="utf-8") as file:
            file.write(picture)
    print(plot.tables(rows), end="")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*dimensions.ALL, "all", "plot"])
    parser.add_argument("--build", default=f"{ROOT}/build/growth", help="build directory of the programs")
    parser.add_argument("--gateway", help="measure this cdgate instead of the one there")
    parser.add_argument("--work", default=f"{ROOT}/build/growth-work", help="where data is; emptied before and after")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lock", help="file whose lock is held while something is under way, for a few minutes at most")
    parser.add_argument("--results", default=f"{HERE}/results.jsonl")
    options = parser.parse_args()
    if options.what == "plot":
        draw(options.results, os.path.dirname(options.results))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # what was started ends as well
    programs = Programs(options.build, options.gateway)
    missing = [path for path in vars(programs).values() if not os.access(path, os.X_OK)]
    if missing:
        sys.exit(f"not there: {', '.join(missing)}")
    world = dimensions.World(programs, options.work, options.rounds, Lock(options.lock))
    for name in dimensions.ALL if options.what == "all" else [options.what]:
        measure(name, world, options.results)
        world.lock.release()


if __name__ == "__main__":
    main()
