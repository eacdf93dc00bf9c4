#!/usr/bin/env python3
"""Cheap checks of every tracked file: format, length, and words that must not stay.

Formatting is checked where clang-format is installed, in its major version 14, because
others format differently.
"""
import os
import re
import shutil
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CODE = (".cc", ".h")
TEXT = CODE + (".proto", ".py", ".sh", ".cmake", ".txt", ".md", ".yaml", ".json", ".def")
MOST_LINES = 500

# In halves, so that this file does not contain them.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
# Absolute paths of somebody's machine.
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|Users|work)/\w+")


def tracked_files():
    """Files that git knows; of an unpacked archive, all but build/."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.decode().split("\0") if name]
    else:
        names = [os.path.relpath(os.path.join(directory, name), ROOT)
                 for directory, _, found in os.walk(ROOT) for name in found]
        names = [name for name in names if not name.startswith(("build/", ".git/"))]
    return [name for name in names if os.path.isfile(os.path.join(ROOT, name))]


def lines_of(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


class StyleTest(unittest.TestCase):
    def setUp(self):
        self.files = tracked_files()
        self.code = [name for name in self.files if name.endswith(CODE)]

    def matches(self, pattern):
        return [f"{name}:{number}: {line.strip()}"
                for name in self.files if name.endswith(TEXT)
                for number, line in enumerate(lines_of(name), 1) if pattern.search(line)]

    def test_nothing_is_marked_unfinished(self):
        self.assertEqual(self.matches(UNFINISHED), [])

    def test_no_path_of_a_particular_machine(self):
        self.assertEqual(self.matches(MACHINE_PATH), [])

    def test_files_are_short(self):
        long = [f"{name}: {len(lines_of(name))} lines" for name in self.code
                if len(lines_of(name)) > MOST_LINES]
        self.assertEqual(long, [], f"split files of more than {MOST_LINES} lines")

    def test_headers_are_guarded(self):
        self.assertEqual([name for name in self.code
                          if name.endswith(".h") and "#pragma once" not in lines_of(name)], [])

    def test_code_is_formatted(self):
        program = shutil.which("clang-format-14") or shutil.which("clang-format")
        if program is None:
            self.skipTest("clang-format is not installed")
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        if " 14." not in version.stdout:
            self.skipTest(f"{version.stdout.strip()} is not version 14")
        done = subprocess.run([program, "--dry-run", "-Werror", *self.code], cwd=ROOT,
                              capture_output=True, text=True, check=False)
        wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stderr, re.MULTILINE)))
        self.assertEqual(wrong, [], "run clang-format -i on them")


if __name__ == "__main__":
    unittest.main()
