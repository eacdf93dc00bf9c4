#!/usr/bin/env python3
"""What instructions.py makes of counts."""
import unittest

import instructions


def counts(number, allocations=10.0):
    return {"instructions": number, "allocations": allocations}


KNOWN = {"Admit": {**counts(1000), "why": "first"}, "Sign": {**counts(5000, 0.0), "why": "first"}}
SIGN = counts(5000, 0.0)


class InstructionsTest(unittest.TestCase):
    def test_a_tenth_more_passes(self):
        self.assertEqual(instructions.differences(KNOWN, {"Admit": counts(1100, 11.0), "Sign": SIGN}), [])

    def test_more_than_that_fails(self):
        self.assertEqual(instructions.differences(KNOWN, {"Admit": counts(1101), "Sign": SIGN}),
                         ["Admit: 1101 instructions, 10.1 % more than 1000"])

    def test_more_allocations_fail(self):
        self.assertEqual(instructions.differences(KNOWN, {"Admit": counts(1000, 11.1), "Sign": counts(5000, 0.5)}),
                         ["Admit: 11.1 allocations, 11.0 % more than 10.0", "Sign: 0.5 allocations, more than 0.0"])

    def test_less_passes(self):
        self.assertEqual(instructions.differences(KNOWN, {"Admit": counts(1, 0.0), "Sign": SIGN}), [])

    def test_new_parts_and_those_that_are_gone_fail(self):
        self.assertEqual(instructions.differences(KNOWN, {"Admit": counts(1000), "Verify": counts(7)}),
                         ["Verify: 7 instructions, and counts.json does not have it", "Sign: in counts.json, and gone"])

    def test_an_update_writes_what_changed_with_its_reason(self):
        self.assertEqual(instructions.updated(KNOWN, {"Admit": counts(1015), "Sign": counts(6000, 0.0), "New": counts(1)}, "more rules"),
                         {"Admit": KNOWN["Admit"], "Sign": {**counts(6000, 0.0), "why": "more rules"},
                          "New": {**counts(1), "why": "more rules"}})

    def test_an_update_forgets_what_is_gone(self):
        self.assertEqual(instructions.updated(KNOWN, {"Sign": SIGN}, "less"), {"Sign": KNOWN["Sign"]})


if __name__ == "__main__":
    unittest.main()
