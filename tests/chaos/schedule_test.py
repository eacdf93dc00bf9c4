#!/usr/bin/env python3
"""A seed is a schedule, and all kinds of faults, networks and sizes come up."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import schedule  # noqa: E402


class ScheduleTest(unittest.TestCase):
    def test_the_same_seed_gives_the_same_schedule(self):
        for seed in range(1, 20):
            self.assertEqual(schedule.make(seed).text(), schedule.make(seed).text())
        self.assertNotEqual(schedule.make(1).text(), schedule.make(2).text())

    def test_everything_comes_up(self):
        plans = [schedule.make(seed) for seed in range(1, 101)]
        self.assertEqual({plan.gateways for plan in plans}, {3, 4, 5, 6})
        self.assertEqual({plan.topology for plan in plans}, set(schedule.TOPOLOGIES))
        self.assertEqual({plan.transit for plan in plans}, {True, False})
        self.assertEqual({fault.kind for plan in plans for fault in plan.faults}, set(schedule.FAULTS))

    def test_faults_are_within_the_run_and_not_two_at_once_of_one_thing(self):
        for seed in range(1, 101):
            plan = schedule.make(seed)
            self.assertGreaterEqual(len(plan.faults), 4)
            ends = {}
            for fault in plan.faults:
                self.assertLessEqual(fault.at + fault.lasts, plan.seconds)
                place = schedule.place_of(fault)
                self.assertLess(ends.get(place, -1), fault.at, f"seed {seed}: {fault.text()}")
                ends[place] = fault.at + fault.lasts

    def test_everybody_is_connected(self):
        for topology in schedule.TOPOLOGIES:
            for gateways in range(3, 7):
                reached = {1}
                for _ in range(gateways):
                    reached |= {n for pair in schedule.make_pairs(topology, gateways) if reached & set(pair) for n in pair}
                self.assertEqual(len(reached), gateways, topology)


if __name__ == "__main__":
    unittest.main()
