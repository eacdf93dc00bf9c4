#!/usr/bin/env python3
"""How many instructions and allocations the parts of the hot path take, held against counts.json.

    instructions.py check  --build Dev build/dev/tests/instructions/event_instructions ...
    instructions.py update --build Dev --why "filters are looked up by prefix, too" PROGRAM ...
    instructions.py print  --build Dev PROGRAM ...

check fails where a part takes more than a tenth more than counts.json says, or is not in it, or is in it and gone. update
writes what changed by more than 2 %, with the reason: a part gets slower only with a line that says why. Counts are of one kind of build, and of a processor with AVX2, since libraries choose their code by it: exit status 77 elsewhere."""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "counts.json")
GROWTH = 1.10  # of a part, before somebody has to say why
NOISE = 1.02   # not written down
# What others are measured against, what happens once in a day, what takes another way on another file system, and how it grows.
LEFT_OUT = ("BM_Append/1", "BM_Append/64", "DecideForHundredPeers/alone_on_data", "EvaluateEach/100", "EvaluateEach/1000",
            "EvaluateEach/10000", "PrepareKey", "VerifyText/by_openssl",
            *(f"{part}/{rules}" for part in ("DecideRules", "DecideRulesOnData") for rules in (1, 10, 20, 100, 1000)))


def count(program):
    """{part: {what: of one run}} of all that `program` has."""
    listed = subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    with tempfile.TemporaryDirectory() as folder:
        said = subprocess.run(
            ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out", "-q", program,
             *(name for name in listed if name not in LEFT_OUT)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if said.returncode != 0:
            sys.exit(f"{program} failed under valgrind:\n{said.stderr}")
        runs = {name: (int(runs), int(allocations)) for name, runs, allocations in
                (line.rsplit(" ", 2) for line in said.stdout.splitlines())}
        counts = {}
        for path in glob.glob(f"{folder}/out.*"):
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
            name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
            total = re.search(r"^totals: (\d+)", text, re.MULTILINE)
            if name and total:
                times, allocations = runs[name[1]]
                counts[name[1]] = {"instructions": round(int(total[1]) / times), "allocations": round(allocations / times, 1)}
    missing = runs.keys() - counts.keys()
    if missing:
        sys.exit(f"callgrind says nothing of {', '.join(sorted(missing))} in {program}")
    return counts


def differences(known, counted):
    """What check() objects to, a line each."""
    lines = []
    for part, now in sorted(counted.items()):
        if part not in known:
            lines.append(f"{part}: {now['instructions']} instructions, and counts.json does not have it")
            continue
        for what in ("instructions", "allocations"):
            was = known[part][what]
            if now[what] > GROWTH * was:
                share = f"{100 * (now[what] / was - 1):.1f} % " if was else ""
                lines.append(f"{part}: {now[what]} {what}, {share}more than {was}")
    lines += [f"{part}: in counts.json, and gone" for part in sorted(known.keys() - counted.keys())]
    return lines


def updated(known, counted, why):
    """`known` with what changed."""
    parts = {}
    for part, now in counted.items():
        was = known.get(part)
        same = was and all(was[what] / NOISE <= now[what] <= was[what] * NOISE for what in now)
        parts[part] = was if same else {**now, "why": why}
    return parts


def load():
    with open(FILE, encoding="utf-8") as file:
        return json.load(file)


def save(counts):
    """A part a line."""
    text = json.dumps(counts, indent=1, sort_keys=True)
    text = re.sub(r"\{\n {4}(\"allocations.*?)\n {3}\}", lambda part: "{" + re.sub(r"\n *", " ", part[1]) + "}", text, flags=re.DOTALL)
    with open(FILE, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def has_avx2():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return re.search(r"^flags\s*:.*\bavx2\b", file.read(), re.MULTILINE) is not None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["check", "update", "print"])
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--build", required=True, help="Dev or Release")
    parser.add_argument("--why", default="")
    options = parser.parse_args()
    if shutil.which("valgrind") is None or not has_avx2():
        print("skipped: no valgrind, or a processor without AVX2")
        return 77
    counts = load()
    status = 0
    for program in options.programs:
        counted = count(program)
        name = os.path.basename(program)
        known = counts.setdefault(options.build, {}).setdefault(name, {})
        if options.verb == "check":
            for line in differences(known, counted):
                print(f"{name} {line}")
                status = 1
        elif options.verb == "update":
            if not options.why:
                sys.exit("update: say --why")
            counts[options.build][name] = updated(known, counted, options.why)
        for part, now in sorted(counted.items()):
            print(f"{name} {part} {now['instructions']} {now['allocations']}")
    if options.verb == "update":
        save(counts)
    if status:
        print("where that is as it must be: tests/instructions/instructions.py update --build "
              f"{options.build} --why REASON {' '.join(options.programs)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
