#!/usr/bin/env python3
"""What bench/growth/plot.py makes of measurements; and that the pictures and the results beside it belong together."""
import os
import re
import sys
import unittest
import xml.dom.minidom

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "growth")
sys.path.insert(0, FOLDER)
import plot  # noqa: E402

LINE = plot.Line("peers", "relay", "us", "an <event>")
FIGURE = plot.Figure("Cost & peers", "peers", "µs", [LINE])


def rows(cost, rounds=(0.9, 1.0, 1.2)):
    """Of 1, 10 and 100 peers, in rounds that differ by these factors."""
    return [{"dimension": "peers", "series": "relay", "x": x, "round": number, "values": {"us": cost(x) * factor}}
            for x in (1, 10, 100) for number, factor in enumerate(rounds)]


def elements(picture, tag, name=None):
    """Attributes of all elements of a kind, and class."""
    found = xml.dom.minidom.parseString(picture).getElementsByTagName(tag)
    return [dict(element.attributes.items()) for element in found if name is None or element.getAttribute("class") == name]


def ends(line):
    return [float(line[name]) for name in ("x1", "y1", "x2", "y2")]


class FitTest(unittest.TestCase):
    def test_exponents_of_power_laws(self):
        for power in (0, 0.5, 1, 2):
            self.assertAlmostEqual(plot.exponent([(x, 7 * x ** power) for x in (1, 10, 20, 1000)]), power)

    def test_one_point_has_none(self):
        self.assertIsNone(plot.exponent([(1, 5)]))

    def test_a_fixed_part_hides_the_slope_but_not_in_the_last_step(self):
        whole, last = plot.exponents(rows(lambda x: 100 + 10 * x), LINE)
        self.assertLess(whole, 0.6)
        self.assertAlmostEqual(last, 0.7404, places=4)  # log10(1100 / 200)

    def test_rounds_become_medians_with_least_and_most(self):
        self.assertEqual(plot.points(rows(lambda x: 10 * x), LINE), [(1, 9, 10, 12), (10, 90, 100, 120), (100, 900, 1000, 1200)])

    def test_the_slope_is_that_of_the_medians(self):
        # What one round in three says does not count.
        bent = [dict(row, values={"us": row["x"] * (99 if row["round"] == row["x"] % 3 else 1)}) for row in rows(lambda x: x)]
        self.assertAlmostEqual(plot.exponents(bent, LINE)[0], 1)

    def test_other_series_and_metrics_do_not_count(self):
        other = [dict(row, series="other") for row in rows(lambda x: 1000)]
        missing = [dict(row, values={"ms": 1}) for row in rows(lambda x: 1)]
        found = plot.points(other + missing + rows(lambda x: x, [1]), LINE)
        self.assertEqual(found, [(1, 1, 1, 1), (10, 10, 10, 10), (100, 100, 100, 100)])

    def test_a_factor_changes_the_unit(self):
        seconds = plot.Line("peers", "relay", "us", "", 1e-6)
        self.assertEqual(plot.points(rows(lambda x: 1e6, [1]), seconds)[0], (1, 1, 1, 1))


class PictureTest(unittest.TestCase):
    def test_it_is_well_formed_and_says_the_exponent(self):
        picture = plot.draw(FIGURE, rows(lambda x: 3 * x ** 0.5))
        xml.dom.minidom.parseString(picture)
        self.assertIn("an &lt;event&gt;: exponent 0.50", picture)
        self.assertIn("Cost &amp; peers", picture)
        self.assertIn('fill="white"', picture)

    def test_what_is_linear_lies_on_the_line(self):
        picture = plot.draw(FIGURE, rows(lambda x: 3 * x))
        [line] = elements(picture, "line", "linear")
        x1, y1, x2, y2 = ends(line)
        self.assertIn("stroke-dasharray", line)
        for circle in elements(picture, "circle"):
            x, y = float(circle["cx"]), float(circle["cy"])
            self.assertAlmostEqual((y - y1) * (x2 - x1), (x - x1) * (y2 - y1), delta=0.3 * (x2 - x1))

    def test_what_is_flat_is_level_and_below_it(self):
        picture = plot.draw(FIGURE, rows(lambda x: 3))
        first, *others = [(float(circle["cx"]), float(circle["cy"])) for circle in elements(picture, "circle")]
        self.assertEqual({y for _, y in others}, {first[1]})
        [line] = elements(picture, "line", "linear")
        self.assertLess(ends(line)[3], first[1])

    def test_the_line_ends_where_the_picture_does(self):
        [line] = elements(plot.draw(FIGURE, rows(lambda x: 3)), "line", "linear")
        x1, y1, x2, y2 = ends(line)
        self.assertTrue(plot.LEFT <= x1 < x2 <= plot.RIGHT, line)
        self.assertTrue(plot.TOP <= y2 < y1 <= plot.BOTTOM, line)

    def test_whiskers_go_from_the_least_to_the_most(self):
        picture = plot.draw(FIGURE, rows(lambda x: 3 * x))
        whiskers, circles = elements(picture, "line", "whisker"), elements(picture, "circle")
        self.assertEqual(len(whiskers), 3)
        for whisker, circle in zip(whiskers, circles):
            _, low, _, high = ends(whisker)
            self.assertTrue(high < float(circle["cy"]) < low, (whisker, circle))

    def test_equal_steps_of_decades(self):
        xs = [float(circle["cx"]) for circle in elements(plot.draw(FIGURE, rows(lambda x: x)), "circle")]
        self.assertAlmostEqual(xs[1] - xs[0], xs[2] - xs[1], delta=0.2)

    def test_a_line_for_each_series_and_its_name_within_the_picture(self):
        two = FIGURE._replace(lines=[LINE, LINE._replace(series="other", label="another")])
        picture = plot.draw(two, rows(lambda x: x) + [dict(row, series="other") for row in rows(lambda x: 2 * x)])
        self.assertEqual(len({line["stroke"] for line in elements(picture, "polyline")}), 2)
        [svg] = elements(picture, "svg")
        names = {"an <event>: exponent 1.00", "another: exponent 1.00", "linear growth"}
        found = {element.firstChild.data: float(element.getAttribute("y"))
                 for element in xml.dom.minidom.parseString(picture).getElementsByTagName("text") if element.firstChild.data in names}
        self.assertEqual(found.keys(), names)
        for y in found.values():
            self.assertTrue(plot.BOTTOM < y < float(svg["height"]))

    def test_there_is_none_of_what_was_not_measured(self):
        self.assertIsNone(plot.draw(FIGURE, []))
        self.assertEqual(plot.pictures([]), {})

    def test_the_same_every_time(self):
        self.assertEqual(plot.draw(FIGURE, rows(lambda x: x)), plot.draw(FIGURE, rows(lambda x: x)))


class TableTest(unittest.TestCase):
    def test_medians_ranges_and_exponents(self):
        table = plot.tables(rows(lambda x: 10 * x))
        self.assertIn("| us | 10 (9..12) | 100 (90..120) | 1000 (900..1200) | 1.00, 1.00 |", table)

    def test_without_an_exponent_where_there_is_no_logarithm(self):
        table = plot.tables(rows(lambda x: x - 1))
        self.assertRegex(table, re.compile(r"\| us \|.*\|  \|$", re.MULTILINE))


class CommittedTest(unittest.TestCase):
    """Of what was measured last."""

    def setUp(self):
        self.rows = plot.load(os.path.join(FOLDER, "results.jsonl"))

    def test_the_pictures_are_of_the_results(self):
        pictures = plot.pictures(self.rows)
        self.assertEqual(pictures.keys(), plot.FIGURES.keys())
        for name, picture in pictures.items():
            with open(os.path.join(FOLDER, f"{name}.svg"), encoding="utf-8") as file:
                self.assertEqual(file.read(), picture, f"run bench/growth/growth.py plot: {name}.svg")

    def test_three_rounds_of_each_point(self):
        for figure in plot.FIGURES.values():
            for line in figure.lines:
                rounds = [row["x"] for row in self.rows if (row["dimension"], row["series"]) == (line.dimension, line.series)]
                self.assertGreaterEqual(min(rounds.count(x) for x in rounds), 3, line)

    def test_nothing_is_worse_than_linear(self):
        for figure in plot.FIGURES.values():
            for line in figure.lines:
                overall, last = plot.exponents(self.rows, line)
                self.assertLess(overall, 1.05, line)
                self.assertLess(last, 1.15, line)

    def test_a_start_takes_less_than_two_seconds(self):
        for row in self.rows:
            for name, seconds in row["values"].items():
                if name.startswith("start_"):
                    self.assertLess(seconds, 2, row)


if __name__ == "__main__":
    unittest.main()
