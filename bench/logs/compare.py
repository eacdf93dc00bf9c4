#!/usr/bin/env python3
"""Measures the logs of bench/logs beside one another, in turns, and prints tables of medians.

    bench/logs/compare.py build/bench/bench/logs/log_load DIRECTORY --rounds 5

DIRECTORY is on the disk in question; a log in it is some 2 GB at a time, and is removed. Each
measurement is a process of its own (log_load says what it does), and each round has all logs, in
another order. What was measured is kept in --results, one line of JSON each; the tables are of all
that is there, so that rounds can be measured one by one.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess

ENGINES = ("segments", "zero-filled", "rocksdb", "blobs", "rocksdb-ranges", "blobs-ranges")
BATCHES = (1, 64, 256)
RETAIN_COMMITS = 5000  # of 64 events
KEPT = 300_000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the binary log_load")
    parser.add_argument("directory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=1_000_000, help="in the log that is opened")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--results", default="log_load.jsonl")
    return parser.parse_args()


def run(args, *words):
    """What log_load says, as a dictionary."""
    os.sync()
    done = subprocess.run([args.program, *map(str, words)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(args, engine):
    """All figures of one log, by name."""
    directory = os.path.join(args.directory, "log_load")
    figures = {}
    # Commits of one event are slow; fewer of them say the same.
    for batch, events in zip(BATCHES, (args.events // 50, args.events // 4, args.events)):
        shutil.rmtree(directory, ignore_errors=True)
        said = run(args, "append", engine, directory, events, batch)
        figures.update({f"{name}@{batch}": value for name, value in said.items()})
    figures.update(run(args, "open", engine, directory))
    figures.update(run(args, "retain", engine, directory, RETAIN_COMMITS, KEPT))
    shutil.rmtree(directory)
    return figures


def measure_rounds(args):
    engines = args.engines.split(",")
    for _ in range(args.rounds):
        first = len(read_results(args)) // len(engines) % len(engines)
        for engine in engines[first:] + engines[:first]:
            line = json.dumps({"engine": engine, **measure(args, engine)})
            with open(args.results, "a", encoding="utf-8") as file:
                file.write(line + "\n")


def read_results(args):
    if not os.path.exists(args.results):
        return []
    with open(args.results, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def by_engine(results):
    """The figures of each round, by log."""
    return {engine: runs for engine in ENGINES
            if (runs := [run for run in results if run["engine"] == engine])}


def table(figures, columns):
    """One line for each log; a column is a title, a figure's name, its unit's size and digits."""
    print("| log | " + " | ".join(title for title, *_ in columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for engine, runs in figures.items():
        cells = [cell([run[name] / unit for run in runs], digits)
                 for _, name, unit, digits in columns]
        print(f"| {engine} | " + " | ".join(cells) + " |")
    print()


def cell(values, digits):
    """The median, and between what the values lie where that is more than a fifth of it."""
    middle, least, most = statistics.median(values), min(values), max(values)
    text = f"{middle:,.{digits}f}"
    if most - least <= 0.2 * middle:
        return text
    return f"{text} ({least:,.{digits}f}..{most:,.{digits}f})"


def report(figures):
    for batch in BATCHES:
        print(f"Commits of {batch}:\n")
        table(figures, [("thousand events/s", f"events_per_s@{batch}", 1e3, 1),
                        ("p50 ms", f"p50_ms@{batch}", 1, 2), ("p99 ms", f"p99_ms@{batch}", 1, 2),
                        ("CPU s per million", f"cpu_s_per_million@{batch}", 1, 2),
                        ("bytes written per byte", f"write_amplification@{batch}", 1, 2)])
    print("Opened and read:\n")
    table(figures, [("open ms", "open_s", 1e-3, 0), ("thousand events/s, from disk", "scan_per_s", 1e3, 0),
                    ("from cache", "scan_warm_per_s", 1e3, 0), ("MB on disk", "disk_mb", 1, 0)])
    print("An append of 64, without retention and beside it, ms:\n")
    table(figures, [(f"{title}{name}", f"{prefix}_{figure}", 1, 2)
                    for prefix, title in (("quiet", ""), ("retain", "retention, "))
                    for name, figure in (("p99", "p99_ms"), ("p99.9", "p999_ms"),
                                         ("longest", "longest_ms"))]
          + [("MB written", "retain_written_mb", 1, 0)])


def main():
    args = arguments()
    os.makedirs(args.directory, exist_ok=True)
    measure_rounds(args)
    report(by_engine(read_results(args)))


if __name__ == "__main__":
    main()
