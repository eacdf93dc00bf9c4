#!/usr/bin/env python3
"""Sums up a test run: summary.py RESULTS [FAULT]...

RESULTS holds, for each preset, PRESET.ctest.xml (written by ctest) and PRESET/*.xml
(written by the GoogleTest programs that ctest ran). A GoogleTest program counts by its
cases, any other test as one; one that died before it wrote its report counts as one
failure. Each FAULT is a failure that no test stands for. Prints what was skipped and
why, the ten slowest tests, what failed, and last the line

    N passed, N failed[, N skipped]

Exits 1 where something failed or nothing ran.
"""
import os
import sys
import xml.etree.ElementTree as ElementTree


class Totals:
    def __init__(self):
        self.passed = 0
        self.failed = []   # names
        self.skipped = []  # (name, why)
        self.times = []    # (seconds, name)


def first_line(text):
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[0] if lines else ""


def skip_reason(skipped):
    """The message of GTEST_SKIP() is the second line, after the place in the source."""
    lines = [line.strip() for line in (skipped.get("message") or "").splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 else first_line(skipped.get("message"))


def add_cases(report, totals):
    """Adds the cases of one GoogleTest report; returns how many of them failed."""
    failed = 0
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if case.get("status") == "notrun":
            continue
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None:
            totals.failed.append(name)
            failed += 1
        elif case.find("skipped") is not None:
            totals.skipped.append((name, skip_reason(case.find("skipped"))))
        else:
            totals.passed += 1
    return failed


def add_preset(results, preset, totals):
    for test in ElementTree.parse(os.path.join(results, preset + ".ctest.xml")).getroot().iter("testcase"):
        name = test.get("name")
        status = test.get("status")
        totals.times.append((float(test.get("time") or 0), f"{preset}: {name}"))
        report = os.path.join(results, preset, name + ".xml")
        failed_cases = add_cases(report, totals) if os.path.exists(report) else None
        skipped = test.find("skipped")
        if status == "disabled" or (skipped is not None
                                    and (skipped.get("message") or "").startswith("SKIP_")):
            totals.skipped.append((name, first_line(test.findtext("system-out")) or status))
        elif status == "run" and failed_cases is None:
            totals.passed += 1
        elif status != "run" and not failed_cases:
            totals.failed.append(name)


def main():
    results, faults = sys.argv[1], sys.argv[2:]
    totals = Totals()
    totals.failed.extend(faults)
    for entry in sorted(os.listdir(results)):
        if entry.endswith(".ctest.xml"):
            add_preset(results, entry[: -len(".ctest.xml")], totals)
    for name, why in totals.skipped:
        print(f"skipped: {name}: {why}")
    if totals.times:
        print("slowest:")
    for seconds, name in sorted(totals.times, reverse=True)[:10]:
        print(f"{seconds:9.2f} s  {name}")
    for name in totals.failed:
        print(f"failed: {name}")
    if not totals.passed and not totals.failed:
        totals.failed.append("nothing ran")
        print("failed: no test ran")
    line = f"{totals.passed} passed, {len(totals.failed)} failed"
    if totals.skipped:
        line += f", {len(totals.skipped)} skipped"
    print(line)
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
