#!/usr/bin/env python3
"""The systemd unit keeps the grade that docs/operations.md promises."""
import os
import re
import shutil
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = os.path.join(ROOT, "deploy", "cdgate.service")
# The worst that may be; 10 is a service without any of it.
MOST_EXPOSURE = 1.1
# What no grade may be traded for.
NEEDED = ("NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "LimitCORE=0",
          "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service", "UMask=0077")


class UnitTest(unittest.TestCase):
    def setUp(self):
        with open(UNIT, encoding="utf-8") as file:
            self.lines = file.read().splitlines()

    def analyze(self, *arguments):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        return subprocess.run(["systemd-analyze", *arguments, UNIT], capture_output=True, text=True, check=False)

    def test_exposure_stays_low(self):
        done = self.analyze("security", "--offline=true", "--no-pager")
        found = re.search(r"Overall exposure level for cdgate\.service: (\d+\.\d)", done.stdout)
        self.assertIsNotNone(found, done.stdout + done.stderr)
        self.assertLessEqual(float(found.group(1)), MOST_EXPOSURE, done.stdout)

    def test_every_setting_is_one_that_systemd_knows(self):
        done = self.analyze("verify")
        wrong = [line for line in done.stderr.splitlines() if "cdgate.service:" in line and "not executable" not in line]
        self.assertEqual(wrong, [])

    def test_what_matters_most_is_there(self):
        self.assertEqual([line for line in NEEDED if line not in self.lines], [])

    def test_it_starts_the_program_that_there_is(self):
        self.assertIn("ExecStart=/usr/bin/cdgate serve --config /etc/cdgate/gateway.yaml", self.lines)


if __name__ == "__main__":
    unittest.main()
