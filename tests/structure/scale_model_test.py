#!/usr/bin/env python3
"""bench/scale_model.py is sane, near what was measured, and says what docs/scale.md quotes."""
import contextlib
import io
import os
import re
import sys
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "bench"))
import scale_costs as costs  # noqa: E402
import scale_model as model  # noqa: E402

# How far a prediction may be outside of what was measured.
MOST_OFF, MOST_OFF_LATENCY = 1.25, 2.0
DOMAINS, RATE = 1_000, 1_000


def printed(section):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        model.main([section])
    return out.getvalue().strip()


def quoted():
    """{section: table} of the paper: what follows each command."""
    with open(os.path.join(ROOT, "docs", "scale.md"), encoding="utf-8") as file:
        text = file.read()
    return dict(re.findall(r"^    bench/scale_model\.py (\w+)\n\n((?:\|.*\n)+)", text, re.MULTILINE))


def topologies():
    yield model.mesh("", DOMAINS, RATE, 20)
    yield model.mesh("", DOMAINS, RATE, 20, links=20)
    for h in (1, 8, 128):
        for joined in (True, False):
            yield model.hubs("", DOMAINS, RATE, 20, h, joined=joined)
    yield model.hubs("", DOMAINS, RATE, 20, 128, middle=True)


def cores(**change):
    load = model.mesh("", DOMAINS, change.pop("rate", RATE), change.pop("k", 20), change.pop("links", None)).loads["each"][1]
    return model.try_cost(load, 16, model.Measures(**change), change.get("gather", 0)).cores


class ScaleModelTest(unittest.TestCase):
    def assertGrows(self, values):
        self.assertEqual(values, sorted(values))

    def test_predictions_are_near_what_was_measured(self):
        for what, least, most, predicted in model.validation_points():
            bound = MOST_OFF_LATENCY if "p50" in what else MOST_OFF
            self.assertLessEqual(model.deviation(least, most, predicted), bound, what)

    def test_what_is_sent_is_received(self):
        for topology in topologies():
            loads = topology.loads.values()
            sent = sum(count * load.sent for count, load in loads)
            self.assertAlmostEqual(sum(count * load.received for count, load in loads) / sent, 1)

    def test_each_domain_gets_what_it_wants(self):
        for topology in topologies():
            _, load = topology.loads.get("each") or topology.loads["domain"]
            self.assertEqual((load.published, load.received), (RATE, 20 * RATE))

    def test_more_costs_more(self):
        self.assertGrows([cores(rate=rate) for rate in (10, 100, 1_000, 10_000)])
        self.assertGrows([cores(links=links) for links in (20, 100, 999)])

    def test_measures_cost_less(self):
        whole = cores()
        for change in ({"gather": 20.0}, {"indexed": True}, {"prepared": 4_096}):
            self.assertLess(cores(**change), whole, change)

    def test_a_message_is_cheaper_the_more_there_are(self):
        self.assertGrows([costs.message_cost(ends, 2) for ends in (1e6, 70_000, 40_000, 10_000, 5_000, 2_000, 1)])
        for ends, cost in costs.MESSAGE:
            self.assertAlmostEqual(costs.message_cost(ends, 2), cost)

    def test_frames_grow_with_the_rate_and_with_waiting(self):
        self.assertGrows([model.frame_size(rate, 0) for rate in (1, 1_000, 10_000, 100_000)])
        self.assertGrows([model.frame_size(20, wait) for wait in (0, 20, 100, 1_000)])
        self.assertEqual(model.frame_size(1e9, 0), costs.MAX_FRAME)

    def test_a_gateway_that_is_short_gathers_until_it_fits(self):
        load = model.mesh("", DOMAINS, RATE, 100).loads["each"][1]
        self.assertGreater(model.try_cost(load, 16, model.Measures(), 0).cores, 16)
        cost = model.cost_of(load, 16)
        self.assertGreater(cost.gather, 0)
        self.assertAlmostEqual(cost.cores, 16, places=2)

    def test_simulated_batches_grow_and_get_cheaper(self):
        few, many = (costs.simulate_links(rate, 5, 10, 0, seconds=1) for rate in (100, 5_000))
        self.assertGreater(many[0], few[0])
        self.assertLess(many[2], few[2])
        self.assertEqual(few, costs.simulate_links(100, 5, 10, 0, seconds=1))

    def test_the_paper_quotes_what_is_printed(self):
        tables = quoted()
        self.assertEqual(set(tables), set(model.SECTIONS))
        for section, table in tables.items():
            self.assertEqual(table.strip(), printed(section), f"bench/scale_model.py {section}")


if __name__ == "__main__":
    unittest.main()
