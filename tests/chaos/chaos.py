#!/usr/bin/env python3
"""Gateways in a bad world, and whether everything holds all the same.

    chaos.py --seeds 1..100 --results FILE            100 runs of 60 s, results by seed and commit
    chaos.py --seeds 7 --seconds 15 --gateways 3      one short run
    chaos.py --seeds 7 --show                         what would happen, without doing it

For each seed some gateways in network namespaces of their own peer in a mesh, chain, ring or star.
Publishers and subscribers run on each while wires between gateways are cut, slowed and made to lose,
repeat and reorder packets, and gateways are killed, stopped, given a full disk, a wrong clock, another
certificate or another policy. Then the faults end, and when everything has come to rest checker.py judges
what it was. A seed is its schedule: the same one on every machine.

FILE has a line of JSON for each run. A seed that it has for the commit, length and bounds is not run again. Where something
does not hold, the folder of the run is kept and the exit status is 1. Needs root, and the programs that
ctest names in CDGATE_BINARY, CDGATE_CHAOS_CLIENT, CDGATE_E2E_POLICIES and CDGATE_FALSE_CLOCK_LIBRARY;
by default those of build/dev.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
BUILD = os.path.join(ROOT, "build", "dev")
for variable, program in (("CDGATE_BINARY", "gateway/cmd/cdgate"), ("CDGATE_CHAOS_CLIENT", "tests/chaos/cdgate_chaos_client"),
                          ("CDGATE_E2E_POLICIES", "tests/e2e/cdgate_e2e_policies"),
                          ("CDGATE_FALSE_CLOCK_LIBRARY", "tests/support/libcdgate_false_clock.so")):
    os.environ.setdefault(variable, os.path.join(BUILD, program))

import checker  # noqa: E402
import play  # noqa: E402
import schedule  # noqa: E402

SKIPPED = 77  # as ctest has it


def bounds(text):
    """"3..6" or "4"."""
    first, _, last = text.partition("..")
    return int(first), int(last or first)


def commit():
    """Of the tree that is tested; one with changes is of no commit."""
    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False).stdout.strip()
    changed = "+" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + changed


class Results:
    """Lines of JSON, one for each run."""

    def __init__(self, path, key):
        self.path, self.key = path, key
        self.known = {}
        if path and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file if line.endswith("}\n")]
            self.known = {line["seed"]: line for line in lines if self.key.items() <= line.items()}

    def add(self, seed, **fields):
        line = {"seed": seed, **self.key, **fields}
        self.known[seed] = line
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def describe(seen):
    """What a run was about, in numbers."""
    return {"events": sum(map(len, seen.logs.values())), "published": sum(map(len, seen.published.values())),
            "crossed": sum(1 for number, log in seen.logs.items() for row in log if row.origin != seen.names[number]),
            "delivered": sum(1 for journal in seen.journals.values() for line in journal if isinstance(line, checker.Delivered)),
            "verdicts": sum(map(len, seen.verdicts.values()))}


def run_seed(seed, options, base):
    """Problems, and numbers."""
    plan = schedule.make(seed, options.seconds, options.gateways)
    print(f"seed {seed}: {plan.gateways} gateways in a {plan.topology}, {len(plan.faults)} faults", flush=True)
    folder = tempfile.mkdtemp(prefix=f"chaos-{seed}.", dir=base)
    with open(os.path.join(folder, "schedule.txt"), "w", encoding="utf-8") as file:
        file.write(plan.text() + "\n")
    problems, numbers = [], {}
    with play.Play(plan, folder) as run:
        try:
            seen = run.observe()
            problems, numbers = checker.check(seen), describe(seen)
        except AssertionError as error:
            problems = [f"the run did not end: {error}", *run.troubles]
        if problems:
            run.keep()
    if problems:
        print(f"  kept for a look: {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return problems, numbers, folder


def reproduction(seed, options):
    first, last = options.gateways
    return f"tests/chaos/chaos.py --seeds {seed} --seconds {options.seconds:g} --gateways {first}..{last}"


def run_all(options):
    results = Results(options.results, {"commit": options.commit or commit(), "seconds": options.seconds,
                                        "gateways": list(options.gateways)})
    base = os.environ.get("CDGATE_E2E_DIR")
    if base:
        os.makedirs(base, exist_ok=True)
    first, last = options.seeds
    for seed in range(first, last + 1):
        if seed in results.known:
            continue
        began = time.monotonic()
        problems, numbers, folder = run_seed(seed, options, base)
        took = round(time.monotonic() - began, 1)
        results.add(seed, ok=not problems, problems=problems, took=took, folder=folder if problems else "", **numbers)
        print(f"  {numbers} in {took} s", flush=True)
        for problem in problems:
            print(f"  VIOLATION {problem[:1000]}", flush=True)
        if problems:
            print(f"  again with: {reproduction(seed, options)}", flush=True)
    of_ours = [line for seed, line in sorted(results.known.items()) if first <= seed <= last]
    failed = [line["seed"] for line in of_ours if not line["ok"]]
    print(f"{len(of_ours)} seeds, {len(failed)} with violations{': ' + str(failed) if failed else ''}")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=bounds, required=True, help="FIRST..LAST, or one")
    parser.add_argument("--seconds", type=float, default=60, help="over which faults happen")
    parser.add_argument("--gateways", type=bounds, default=(3, 6), help="how many, FEWEST..MOST")
    parser.add_argument("--results", help="file to read and to add to")
    parser.add_argument("--commit", help="what the results are of; by default what git says")
    parser.add_argument("--show", action="store_true", help="print the schedules, and do nothing")
    options = parser.parse_args()
    if options.show:
        for seed in range(options.seeds[0], options.seeds[1] + 1):
            print(schedule.make(seed, options.seconds, options.gateways).text())
        return 0
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        return SKIPPED
    return run_all(options)


if __name__ == "__main__":
    sys.exit(main())
