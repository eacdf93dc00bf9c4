#!/usr/bin/env python3
"""A flame graph of running processes: where their processor time goes.

    bench/flamegraph.py OUT.svg --pid PID [--pid PID ...] [--seconds 10] [--rate 997]
    bench/flamegraph.py OUT.svg --data perf.data

Samples with perf (as root, or with kernel.perf_event_paranoid at 1 or less) and draws thread names at the bottom, callers below what
they call, as wide as their share. Hover over a box for its name and share. Libraries that were built without frame pointers, as
Debian's are, show as a box without its callers."""
import argparse
import collections
import html
import re
import shutil
import subprocess
import sys
import tempfile

WIDTH, ROW, TOP = 1200, 17, 30  # pixels
SMALLEST = 0.0008               # of the whole: what is narrower is not drawn
COLOURS = [                     # of a box, by the first that matches
    (r"\[k\]$", "#d98880"),
    (r"^cdgate::", "#7fb3d5"),
    (r"^(grpc|absl|gpr|chttp2)", "#82e0aa"),
    (r"^(SSL|EVP|sha|aes|ecp|BN_|bn_|CRYPTO|imb)", "#f7dc6f"),
]
OTHER = "#cfcfcf"


def stacks(perf_script):
    """{(thread, outermost, ..., innermost): samples} of what `perf script -F comm,ip,sym,dso` prints."""
    counts = collections.Counter()
    for block in perf_script.split("\n\n"):
        lines = block.strip().splitlines()
        if len(lines) < 2:
            continue
        frames = []
        for line in lines[1:]:
            match = re.match(r"\s*[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \((.*)\)$", line)
            if match:
                frames.append(match[1] + (" [k]" if "kernel" in match[2] or match[2].endswith(".ko") else ""))
        counts[(lines[0].strip(), *reversed(frames))] += 1
    return counts


def tree(counts):
    """Nodes {name: (samples, children)}, nested."""
    root = [0, {}]
    for stack, samples in counts.items():
        node = root
        node[0] += samples
        for name in stack:
            node = node[1].setdefault(name, [0, {}])
            node[0] += samples
    return root


def depth_of(node, total):
    return 1 + max((depth_of(child, total) for child in node[1].values() if child[0] >= SMALLEST * total), default=0)


def colour(name):
    return next((colour for pattern, colour in COLOURS if re.search(pattern, name)), OTHER)


def short(name, width):
    """As much of it as a box of that width has room for."""
    room = int(width / 6.5)
    name = re.sub(r"\(.*", "", name)
    return "" if room < 3 else name if len(name) <= room else name[: room - 1] + "…"


def draw(root, title):
    total = max(root[0], 1)
    height = TOP + ROW * depth_of(root, total)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">',
           f'<rect width="100%" height="100%" fill="white"/><text x="4" y="16">{html.escape(title)}</text>']

    def box(name, node, left, depth):
        width = WIDTH * node[0] / total
        top = height - ROW * depth
        out.append(f'<g><title>{html.escape(name)}: {100 * node[0] / total:.2f} %, {node[0]} samples</title>'
                   f'<rect x="{left:.1f}" y="{top}" width="{max(width - 0.5, 0.3):.1f}" height="{ROW - 1}" fill="{colour(name)}"/>'
                   f'<text x="{left + 2:.1f}" y="{top + 12}">{html.escape(short(name, width))}</text></g>')
        for child, below in sorted(node[1].items()):
            if below[0] >= SMALLEST * total:
                box(child, below, left, depth + 1)
            left += WIDTH * below[0] / total

    left = 0.0
    for thread, node in sorted(root[1].items()):
        if node[0] >= SMALLEST * total:
            box(thread, node, left, 1)
        left += WIDTH * node[0] / total
    out.append("</svg>")
    return "\n".join(out) + "\n"


def run(*command):
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if said.returncode != 0:
        sys.exit(f"{command[0]} {command[1]} failed: {said.stderr.strip()}")
    return said.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--pid", type=int, action="append", default=[])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=int, default=997, help="samples a second")
    parser.add_argument("--data", help="what perf record -g has written")
    options = parser.parse_args()
    if bool(options.pid) == bool(options.data):
        parser.error("give --pid or --data")
    if shutil.which("perf") is None:
        sys.exit("there is no perf: install Debian's linux-perf")
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or f"{folder}/perf.data"
        if options.pid:
            run("perf", "record", "-q", "-g", "-F", str(options.rate), "-p", ",".join(map(str, options.pid)), "-o", data,
                "sleep", str(options.seconds))
        counts = stacks(run("perf", "script", "-F", "comm,ip,sym,dso", "-i", data))
    if not counts:
        sys.exit("there are no samples: the processes had nothing to do")
    root = tree(counts)
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(draw(root, f"{root[0]} samples of {', '.join(map(str, options.pid)) or options.data}"))
    print(options.out)


if __name__ == "__main__":
    main()
