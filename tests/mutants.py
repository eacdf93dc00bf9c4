#!/usr/bin/env python3
"""Changes one operator of a pure core at a time and sees whether a test notices.

    tests/mutants.py --count 30            # drawn by a seed, which is printed
    tests/mutants.py --count 30 --seed 7   # the same ones again

Works on a copy of the tracked files in build/mutants, and builds only the tests of what it
changes. A mutant that does not compile is not counted, and another is drawn. The exit status
is 1 where fewer than --least percent were noticed: some change nothing that can be seen, so
all is not to be had. Those that nobody noticed are printed.
"""
import argparse
import glob
import os
import random
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, "build", "mutants")
SOURCE = os.path.join(WORK, "src")
BUILD = os.path.join(WORK, "build")

# Sources, and the tests that are theirs.
CORES = [
    (["federation/link/*.cc"], ["link_script_test", "link_simulation_test", "link_frames_test"]),
    (["federation/policy/*.cc"],
     ["policy_decide_test", "policy_check_test", "policy_interest_test", "policy_rule_memo_test",
      "policy_rate_limit_test"]),
    (["gateway/filter/*.cc"],
     ["cesql_tck_test", "filter_program_test", "filter_event_context_test", "filter_text_test",
      "filter_analysis_test", "filter_differential_test"]),
    (["gateway/event/*.cc"],
     ["cloud_event_view_test", "cloud_event_writer_test", "digests_test", "json_parser_test",
      "owned_bytes_test", "plain_reader_test", "record_test", "stored_event_test",
      "structured_json_test", "timestamp_test", "valid_event_test"]),
    (["gateway/state/resolver.cc", "gateway/state/identity*.cc", "gateway/state/ledger.cc",
      "gateway/state/rows.cc"],
     ["store_test", "fold_test", "fold_resources_test", "identity_test", "identity_filter_test"]),
    (["gateway/rpc/abuse_meter.cc", "gateway/rpc/call_gate.cc", "gateway/rpc/connection_gate.cc"],
     ["rpc_test"]),
    (["gateway/eventlog/segments/entry.cc", "gateway/eventlog/segments/segment.cc",
      "gateway/eventlog/segments/commit_db.cc"],
     ["segment_test", "segment_log_test", "segment_fault_test", "block_writer_test"]),
]
CHANGES = [(" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" == ", " != "),
           (" != ", " == "), (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "),
           (" += ", " -= "), ("return true;", "return false;"), ("return false;", "return true;"),
           ("if (!", "if ("), ("std::min(", "std::max("), ("std::max(", "std::min("),
           ("continue;", "break;")]
# What they say or count is not what the program does; templates are not comparisons.
NOT_HERE = re.compile(r"^\s*(#|//)|StrCat|StrFormat|Log\(|template|operator|static_assert|reserve\(")
TEXT = re.compile(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'|//.*')


def tracked():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name]


def write_if_other(path, data):
    """Leaves the time of a file alone that is as it should be: what is built of it stands."""
    try:
        with open(path, "rb") as file:
            if file.read() == data:
                return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def copy_sources():
    for name in tracked():
        path = os.path.join(ROOT, name)
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            write_if_other(os.path.join(SOURCE, name), file.read())
        shutil.copymode(path, os.path.join(SOURCE, name))


def places(name):
    """(line, column, old, new) of every change that can be made in a file."""
    with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
        for number, line in enumerate(file):
            if NOT_HERE.search(line):
                continue
            code = TEXT.sub(lambda match: " " * len(match.group()), line)
            for old, new in CHANGES:
                at = code.find(old)
                while at >= 0:
                    yield number, at, old, new
                    at = code.find(old, at + 1)


def all_mutants():
    for patterns, tests in CORES:
        for pattern in patterns:
            for path in sorted(glob.glob(os.path.join(SOURCE, pattern))):
                name = os.path.relpath(path, SOURCE)
                for place in places(name):
                    yield name, place, tests


def build(targets, output=subprocess.DEVNULL):
    return subprocess.run(["cmake", "--build", BUILD, "--target", *targets], stdout=output,
                          stderr=subprocess.STDOUT, check=False).returncode == 0


def tests_pass(tests):
    pattern = f"^({'|'.join(tests)})$"
    return subprocess.run(["ctest", "--test-dir", BUILD, "-R", pattern, "-j2", "--timeout", "120",
                           "--stop-on-failure"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def try_one(name, place, tests):
    """'noticed', 'survived' or 'no program'."""
    number, at, old, new = place
    path = os.path.join(SOURCE, name)
    with open(path, encoding="utf-8") as file:
        original = file.read()
    lines = original.splitlines(keepends=True)
    lines[number] = lines[number][:at] + new + lines[number][at + len(old):]
    try:
        write_if_other(path, "".join(lines).encode())
        if not build(tests):
            return "no program"
        return "survived" if tests_pass(tests) else "noticed"
    finally:
        write_if_other(path, original.encode())


def say(began, text):
    print(f"[{time.monotonic() - began:4.0f}s] {text}", file=sys.stderr, flush=True)


def prepare(began):
    copy_sources()
    subprocess.run(["cmake", "--preset", "dev", "-B", BUILD], cwd=SOURCE, check=True,
                   stdout=subprocess.DEVNULL)
    tests = sorted({test for _, tests in CORES for test in tests})
    say(began, f"building {len(tests)} tests")
    if not build(tests, sys.stderr) or not tests_pass(tests):
        sys.exit("error: the tests do not pass as they are; mend that first")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=30, help="mutants to try")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--least", type=int, default=70, help="percent that must be noticed")
    options = parser.parse_args()
    began = time.monotonic()
    prepare(began)
    mutants = list(all_mutants())
    random.Random(options.seed).shuffle(mutants)
    say(began, f"{options.count} of {len(mutants)} mutants, seed {options.seed}")
    noticed, survivors = 0, []
    for name, place, tests in mutants:
        if noticed + len(survivors) == options.count:
            break
        outcome = try_one(name, place, tests)
        where = f"{name}:{place[0] + 1}: '{place[2].strip()}' became '{place[3].strip()}'"
        say(began, f"{outcome}: {where}")
        noticed += outcome == "noticed"
        if outcome == "survived":
            survivors.append(where)
    tried = noticed + len(survivors)
    print(f"mutants: {noticed} of {tried} noticed, seed {options.seed}")
    for where in survivors:
        print(f"  nobody noticed {where}")
    return 0 if noticed * 100 >= options.least * tried else 1


if __name__ == "__main__":
    sys.exit(main())
