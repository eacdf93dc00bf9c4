"""What growth.py measured, as pictures and tables: medians with least and most, on logarithmic axes, and how steep they are.

An exponent of 1 is linear growth, of 0 none: the slope of the straight line that fits log y over log x best."""
import collections
import html
import json
import math
import statistics

WIDTH = 760                                         # pixels
LEFT, RIGHT, TOP, BOTTOM = 80, 740, 44, 384         # of the plot; what its lines are comes below
COLOURS = ("#1f4e9c", "#b5471b", "#2a7d3f", "#7b3fa0", "#8a6d00", "#1a8a8a")

Line = collections.namedtuple("Line", "dimension series metric label factor", defaults=(1,))
Figure = collections.namedtuple("Figure", "title x y lines")

FIGURES = {
    "peers": Figure("Processor time of a gateway that relays to N peers", "peers", "µs an event", [
        Line("peers", "relay", "cpu_us_per_event", "an event, with all its copies"),
        Line("peers", "relay", "cpu_us_per_copy", "one copy")]),
    "subscriptions": Figure("Processor time of a gateway with N subscriptions", "subscriptions", "µs", [
        Line("subscriptions", "everything", "cpu_us_per_event", "an event alone, for all live streams"),
        Line("subscriptions", "everything", "cpu_us_per_delivery", "of it for each delivery"),
        Line("subscriptions", "silent", "cpu_us_per_event", "an event in bursts, for one of N live streams"),
        Line("subscriptions", "named", "cpu_us_per_event", "the same beside N named subscriptions without stream")]),
    "rules": Figure("Processor time of a decision by the last of N rules", "rules", "µs", [
        Line("rules", "attributes", "decision_us", "decision, rules on attributes"),
        Line("rules", "data", "decision_us", "decision, rules on data"),
        Line("rules", "gateway", "cpu_us_per_event", "an event, all that the exporting gateway does")]),
    "log": Figure("Start and lookup with N events in the log", "events in the log", "ms", [
        Line("log", "log", "start_s", "start, until ready", 1000),
        Line("log", "log", "start_after_kill_s", "start after kill -9", 1000),
        Line("log", "log", "start_cold_s", "start, nothing of it in memory", 1000),
        Line("log", "log", "first_sequence_p50_us", "first lookups then, p50", 0.001),
        Line("log", "log", "sequence_p50_us", "lookup by sequence, p50", 0.001),
        Line("log", "log", "id_p50_us", "lookup by id, p50", 0.001)]),
    "payload": Figure("Processor time of both gateways for events of N KiB", "KiB", "µs", [
        Line("payload", "relay", "cpu_us_per_event", "an event"),
        Line("payload", "relay", "cpu_us_per_kib", "a KiB")]),
}


def load(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def points(rows, line):
    """[(x, least, median, most)] of the rounds."""
    values = collections.defaultdict(list)
    for row in rows:
        if (row["dimension"], row["series"]) == (line.dimension, line.series) and line.metric in row["values"]:
            values[row["x"]].append(row["values"][line.metric] * line.factor)
    return [(x, min(ys), statistics.median(ys), max(ys)) for x, ys in sorted(values.items())]


def exponent(xy):
    """Of the power law that fits points (x, y) best; None of fewer than two."""
    if len(xy) < 2:
        return None
    logs = [(math.log(x), math.log(y)) for x, y in xy]
    mx, my = (statistics.fmean(column) for column in zip(*logs))
    return sum((x - mx) * (y - my) for x, y in logs) / sum((x - mx) ** 2 for x, _ in logs)


def exponents(rows, line):
    """(over all points, from the last but one to the last)"""
    xy = [(x, median) for x, _, median, _ in points(rows, line)]
    return exponent(xy), exponent(xy[-2:])


class Axes:
    """From values to pixels, whole decades on both axes."""

    def __init__(self, xs, ys):
        self.x = (math.floor(math.log10(min(xs))), max(math.ceil(math.log10(max(xs))), math.floor(math.log10(min(xs))) + 1))
        self.y = (math.floor(math.log10(min(ys))), max(math.ceil(math.log10(max(ys))), math.floor(math.log10(min(ys))) + 1))

    def at(self, x, y):
        across = (math.log10(x) - self.x[0]) / (self.x[1] - self.x[0])
        up = (math.log10(y) - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP)

    def linear(self, x, y):
        """The part of y' = y x' / x from (x, y) on that is on the picture, as two points."""
        last = min(10 ** self.x[1], x * 10 ** self.y[1] / y)
        return (x, y), (last, y * last / x)


def two_digits(value):
    return f"{round(value, 2) + 0.0:.2f}"  # never -0.00


def number(value):
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"


def attributes(how):
    """{"text_anchor": "end", "class_": "x"} as XML."""
    return "".join(f' {name.rstrip("_").replace("_", "-")}="{value}"' for name, value in how.items())


def text(x, y, words, **how):
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes(how)}>{html.escape(words)}</text>'


def segment(a, b, **how):
    return f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}"{attributes(how)}/>'


def grid(axes, figure):
    out = [text(WIDTH / 2, 24, figure.title, text_anchor="middle", font_size=15),
           text((LEFT + RIGHT) / 2, BOTTOM + 38, figure.x, text_anchor="middle"),
           text(18, (TOP + BOTTOM) / 2, figure.y, text_anchor="middle", transform=f"rotate(-90 18 {(TOP + BOTTOM) / 2:.1f})")]
    for decade in range(axes.x[0], axes.x[1] + 1):
        low, high = axes.at(10 ** decade, 10 ** axes.y[0]), axes.at(10 ** decade, 10 ** axes.y[1])
        out += [segment(low, high, stroke="#dddddd"), text(low[0], low[1] + 18, number(10 ** decade), text_anchor="middle")]
    for decade in range(axes.y[0], axes.y[1] + 1):
        low, high = axes.at(10 ** axes.x[0], 10 ** decade), axes.at(10 ** axes.x[1], 10 ** decade)
        out += [segment(low, high, stroke="#dddddd"), text(low[0] - 6, low[1] + 4, number(10 ** decade), text_anchor="end")]
    return out


def curve(axes, measured, colour):
    """The medians, joined, with a whisker from the least to the most."""
    at = [axes.at(x, median) for x, _, median, _ in measured]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    out = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>']
    for (x, least, median, most), (px, py) in zip(measured, at):
        out += [f"<g><title>{number(x)}: {median:.4g} ({least:.4g}..{most:.4g})</title>",
                segment(axes.at(x, least), axes.at(x, most), stroke=colour, stroke_width=1.5, class_="whisker"),
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}"/></g>']
    return out


def legend(named):
    """Of [(label, how its line is drawn)], below the plot."""
    out = []
    for place, (label, how) in enumerate(named):
        y = BOTTOM + 64 + 18 * place
        out += [segment((LEFT, y - 4), (LEFT + 24, y - 4), **how), text(LEFT + 32, y, label)]
    return out


def draw(figure, rows):
    """An SVG, or None where nothing of it was measured."""
    measured = [(line, points(rows, line)) for line in figure.lines]
    measured = [(line, found) for line, found in measured if found]
    if not measured:
        return None
    axes = Axes([p[0] for _, found in measured for p in found], [y for _, found in measured for p in found for y in p[1:]])
    height = BOTTOM + 76 + 18 * len(measured)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           'font-family="sans-serif" font-size="12" fill="#222222">', '<rect width="100%" height="100%" fill="white"/>']
    out += grid(axes, figure)
    dashed = {"stroke": "#888888", "stroke_dasharray": "6 4"}
    first = measured[0][1][0]
    out.append(segment(*(axes.at(*point) for point in axes.linear(first[0], first[2])), class_="linear", **dashed))
    named = []
    for (line, found), colour in zip(measured, COLOURS):
        out += curve(axes, found, colour)
        slope = exponent([(x, median) for x, _, median, _ in found])
        named.append((line.label + (f": exponent {two_digits(slope)}" if slope is not None else ""), {"stroke": colour, "stroke_width": 2}))
    out += [*legend([*named, ("linear growth", dashed)]), "</svg>"]
    return "\n".join(out) + "\n"


def pictures(rows):
    """{name: SVG} of all that was measured."""
    drawn = {name: draw(figure, rows) for name, figure in FIGURES.items()}
    return {name: picture for name, picture in drawn.items() if picture}


def tables(rows):
    """Markdown: for each series what was measured, median (least..most), a column for each x."""
    out = []
    for dimension, series in dict.fromkeys((row["dimension"], row["series"]) for row in rows):
        mine = [row for row in rows if (row["dimension"], row["series"]) == (dimension, series)]
        xs = sorted({row["x"] for row in mine})
        out += [f"{dimension}, {series}", "", "| | " + " | ".join(number(x) for x in xs) + " | exponent, last step |",
                "|---|" + "---:|" * (len(xs) + 1)]
        for metric in dict.fromkeys(name for row in mine for name in row["values"]):
            line = Line(dimension, series, metric, metric)
            found = {x: f"{median:.4g} ({least:.4g}..{most:.4g})" for x, least, median, most in points(mine, line)}
            out.append(f"| {metric} | " + " | ".join(found.get(x, "") for x in xs) + f" | {steepness(mine, line)} |")
        out.append("")
    return "\n".join(out)


def steepness(rows, line):
    xy = [(x, median) for x, _, median, _ in points(rows, line)]
    if len(xy) < 2 or any(x <= 0 or y <= 0 for x, y in xy):
        return ""
    return ", ".join(map(two_digits, exponents(rows, line)))
