#!/usr/bin/env python3
"""What federations of many domains would cost, calculated from what was measured of two.

    bench/scale_model.py validation | batches | topologies | first | skew | stores | recovery | measures
                         [--domains 1000] [--rate 1000000] [--k 1,5,20,100] [--hubs 8,32,128] [--cores 16] [--rtt 10]

Prints a Markdown table. docs/scale.md has them, says what the model is, and what of it was not measured."""
import argparse
import dataclasses
import math
import sys

import scale_costs as costs
from scale_costs import Prices


# ------------------------------------------------------------ a gateway, and what it has to do
@dataclasses.dataclass
class Load:
    """Events a second. Links of a kind are alike."""
    published: float = 0
    received: float = 0
    links_in: float = 0        # over so many links
    sent: float = 0            # deliveries to peers
    links_out: float = 0
    links: float = 0           # that are up
    passes_on: bool = False    # what it receives may go on
    statements: float = 0      # that come with an event, besides the batch's
    judged: float = 0          # of them, what is verified: none of an event that its origin sent
    roots: float = 0           # signatures over these that were not seen before, for an event
    keys: float = 1            # that made them
    frame_in: float = 0        # events of a frame that comes; 0: by the rate of a link
    readers: float = 1         # subscribers of everything

    @property
    def log(self):
        return self.published + self.received

    @property
    def outcomes(self):
        """Pairs of event and peer: what a peer sent is not told back."""
        return self.published * self.links + self.received * max(self.links - 1, 0)


@dataclasses.dataclass
class Measures:
    """What would be done; as it is now."""
    gather: float = 0.0        # ms that an event waits for others on its link
    indexed: bool = False      # a commit is looked at once for all links, and wakes those that it is for
    prepared: int = costs.PREPARED_KEYS
    ranges: bool = False       # outcomes of removed events by range, not by event and peer
    spread: bool = False       # statements are verified on all processors, not on the strand of the link
    origin: float = 1.1        # events that an origin signs together, where they are published one by one


@dataclasses.dataclass
class Cost:
    parts: dict                # processors, by what for
    frame: float               # events
    frames: float              # a second, both ways
    commits: float
    strand: float              # of the busiest link, processors
    gather: float
    prices: Prices

    @property
    def cores(self):
        return sum(self.parts.values())


def commit_size(proposals, events, prices):
    """Events of a commit: what is proposed while one is written is the next."""
    size = 1.0
    for _ in range(50):
        busy = prices.commit + costs.SYNC + size * (costs.RECORD + costs.APPEND + costs.IDENTITY)
        size = min(costs.MAX_COMMIT, events / proposals * costs.gathered(proposals, busy))
    return size


def of_a_commit(share, commit):
    """Events of a commit that are for one link, where there are any."""
    return share * commit / max(1 - (1 - share) ** commit, share) if 0 < share < 1 else max(share * commit, 1)


def frame_size(rate, gather_ms, share=0.0, commit=1.0):
    """Events of a frame: those of the same commit, those that come while one is made, and those that are waited for."""
    alone = max(costs.gathered(rate, 200), of_a_commit(share, commit))
    return min(costs.MAX_FRAME, alone + rate * gather_ms / 1e3)


def judging(load, prices, measures):
    """What the statements of an event that came cost, µs."""
    return load.judged * costs.STATEMENT + load.roots * prices.verify(load.keys, measures.prepared)


def session_work(load, prices, measures, frame_in):
    """A session's own work on an event that came, µs: what its strand does."""
    own = costs.ADMIT_IMPORTED + costs.DECIDE + costs.LEAVES_B + prices.verify(load.links_in, measures.prepared) / frame_in
    return own + (0 if measures.spread else judging(load, prices, measures))


@dataclasses.dataclass
class Flow:
    """How events come to share commits and frames."""
    commits: float
    commit: float
    out: float                 # events of a frame
    into: float
    rows: float                # proposals with ledger rows
    prices: Prices


def flow_of(load, cores, gather):
    out_each, in_each = load.sent / max(load.links_out, 1), load.received / max(load.links_in, 1)
    flow = Flow(load.log, 1.0, 1.0, load.frame_in or 1.0, load.links_out * min(5.0, out_each), Prices(0, cores))
    for _ in range(6):
        flow.out = frame_size(out_each, gather, out_each / load.log, flow.commit)
        flow.into = min(costs.MAX_FRAME, load.frame_in + in_each * gather / 1e3) if load.frame_in else frame_size(in_each, gather)
        ends = load.published + load.sent / flow.out + load.received / flow.into + flow.commits * load.readers
        flow.prices = Prices(ends + load.links * costs.HEARTBEATS, cores)
        flow.commit = commit_size(load.published + load.received / flow.into + flow.rows, load.log, flow.prices)
        flow.commits = load.log / flow.commit
    return flow


def looking(load, flow, measures):
    """Links look at each commit, whether there is something for them or not."""
    of_others = costs.DECIDE + costs.INTEREST if load.passes_on else costs.REFUSE_ORIGIN
    once = load.published * (costs.DECIDE_SHARED + costs.INTEREST) + load.received * of_others
    previews = 2 if flow.commit <= 4 else 1
    if measures.indexed:
        return once + min(flow.commits * load.links, load.sent) * costs.WAKE * previews
    return load.links * (once + flow.commits * costs.WAKE * previews)


def try_cost(load, cores, measures, gather):
    flow = flow_of(load, cores, gather)
    prices, frames_out, frames_in = flow.prices, load.sent / flow.out, load.received / flow.into
    event = costs.RECORD + costs.APPEND + costs.IDENTITY
    parts = {
        "publishers": load.published * (costs.ADMIT_PUBLISHED + costs.TRANSPORT + prices.message),
        "commits": load.log * event + flow.commits * prices.commit + flow.rows * costs.LEDGER,
        "looking": looking(load, flow, measures),
        "sending": load.sent * (costs.LEAVES_A + costs.TRANSPORT + (costs.STATEMENT if load.passes_on else 0))
        + frames_out * (prices.message + prices.sign),
        "receiving": load.received * (costs.ADMIT_IMPORTED + costs.DECIDE + costs.LEAVES_B + costs.TRANSPORT)
        + frames_in * (prices.message + prices.verify(load.links_in, measures.prepared)),
        "statements": load.received * judging(load, prices, measures),
        "subscribers": load.readers * (load.log * (costs.DELIVER + costs.TRANSPORT) + flow.commits * prices.message),
        "heartbeats": load.links * costs.HEARTBEATS * (prices.message + prices.sign),
    }
    links = max(load.links, 1)
    strand = load.received / max(load.links_in, 1) * session_work(load, prices, measures, flow.into) \
        + parts["looking"] / links + (load.sent * costs.LEAVES_A + frames_out * prices.sign) / max(load.links_out, 1)
    return Cost({name: us / 1e6 for name, us in parts.items()}, flow.out if load.sent >= load.received else flow.into,
                frames_out + frames_in, flow.commits, strand / 1e6, gather, prices)


def cost_of(load, cores, measures=Measures()):
    """Where a gateway has too little, everything waits, shares more and costs less: the least wait by which it fits, 1 s at most."""
    cost = try_cost(load, cores, measures, measures.gather)
    low, high = measures.gather, 1_000.0
    if cost.cores <= cores or try_cost(load, cores, measures, high).cores > cores:
        return cost
    for _ in range(30):
        middle = (low + high) / 2
        fits = try_cost(load, cores, measures, middle).cores <= cores
        low, high = (low, middle) if fits else (middle, high)
    return try_cost(load, cores, measures, high)


# ------------------------------------------------------------ topologies
@dataclasses.dataclass
class Topology:
    name: str
    loads: dict                # kind of gateway: (how many, Load)
    hops: float                # links on an event's way, on average


def mesh(name, n, rate, k, links=None):
    """Each event to k of the others over a link of its own; who is not linked gets nothing."""
    links = n - 1 if links is None else links
    load = Load(published=rate, received=k * rate, links_in=links, sent=k * rate, links_out=links, links=links, keys=links)
    return Topology(name, {"each": (n, load)}, 1)


def new_roots(share, batch):
    """Signatures for an event, over trees of so many of which each comes with this probability."""
    return 1 / max(1.0, 1 + share * (batch - 1))


def hubs(name, n, rate, k, h, middle=False, joined=True, origin=Measures.origin):
    """Domains behind h hubs, each event to k of the others. Hubs are linked with each other, or all with one in the middle; a hub is
    sent what one of its domains wants, or, where interest is not joined, everything."""
    members, wanted = n / h, (1 - (1 - 1 / h) ** k if joined else 1.0) if h > 1 else 0.0
    away, own = (h - 1) / h, n / h * rate
    copies = own * wanted * (h - 1)                               # of a hub's events for other hubs; as many come
    links = members + (0 if h == 1 else 1 if middle else h - 1)
    on = own * (1 - (1 - wanted) ** (h - 1)) if middle else copies
    hub = Load(received=own + copies, links_in=links, sent=on + members * k * rate, links_out=links, links=links,
               passes_on=True, keys=n, readers=0)
    hub.statements = (own + copies * (3 if middle else 2)) / hub.received
    hub.judged, hub.roots = hub.statements - own / hub.received, copies * 2 * new_roots(wanted, origin) / hub.received
    leaf = Load(published=rate, received=k * rate, links_in=1, sent=rate, links_out=1, links=1, keys=n)
    leaf.statements = leaf.judged = 2 + away * (2 if middle else 1)
    leaf.roots = 2 * new_roots(k / n, origin) + away * new_roots(1 / members, frame_size(copies / max(h - 1, 1), 0))
    leaf.frame_in = frame_size(k * rate, 0, k * rate / hub.log, flow_of(hub, 16, 0).commit)
    loads = {"domain": (n, leaf), "hub": (h, hub)}
    if middle:
        loads["middle"] = (1, Load(received=h * on, links_in=h, sent=h * copies, links_out=h, links=h, passes_on=True, keys=n,
                                   readers=0, statements=2, judged=2, roots=2 / origin))
    return Topology(name, loads, 2 + away * (2 if middle else 1))


def compared(args):
    n, rate, k = args.domains, args.rate / args.domains, typical(args)
    yield mesh("mesh, all get all", n, rate, n - 1)
    for wanted in args.k:
        yield mesh(f"mesh, k = {wanted}", n, rate, wanted)
    for wanted in args.k[1:]:
        yield mesh(f"{wanted} neighbours", n, rate, wanted, links=wanted)
    for h in args.hubs:
        for wanted in (args.k[0], k):
            yield hubs(f"{h} hubs, k = {wanted}", n, rate, wanted, h)
    yield hubs(f"{args.hubs[-1]} hubs, interest not joined, k = {k}", n, rate, k, args.hubs[-1], joined=False)
    yield hubs(f"{args.hubs[-1]} hubs round one, k = {k}", n, rate, k, args.hubs[-1], middle=True)
    yield hubs(f"one hub, k = {k}", n, rate, k, 1)


def typical(args):
    return args.k[min(2, len(args.k) - 1)]


def chosen(args, origin=Measures.origin):
    """One of each kind."""
    n, rate, k, h = args.domains, args.rate / args.domains, typical(args), args.hubs[-1]
    behind = hubs("", n, rate, k, h, origin=origin).loads
    return [(f"mesh, k = {k}", mesh("", n, rate, k).loads["each"][1]), (f"{k} neighbours", mesh("", n, rate, k, k).loads["each"][1]),
            (f"domain behind one of {h} hubs", behind["domain"][1]), (f"one of {h} hubs", behind["hub"][1])]


# ------------------------------------------------------------ what there is, and what is needed
def latency_ms(topology, cost, rtt):
    """Half of what was measured through two gateways for each, half a round trip and half the wait for each link."""
    return 0.45 * (topology.hops + 1) + topology.hops * (rtt + cost.gather) / 2


def stores(load, measures=Measures()):
    """Bytes a second of each store."""
    rows = 16 * load.log if measures.ranges else costs.OUTCOME_BYTES * load.log + costs.OUTCOME_PEER_BYTES * load.outcomes
    record = costs.RECORD_BYTES + load.statements * costs.STATEMENT_BYTES
    return {"log": load.log * record, "identities": load.log * costs.IDENTITY_BYTES, "outcomes": rows}


def full_stores_tb(load):
    return {name: each * 86_400 * costs.DAYS[name] / 1e12 for name, each in stores(load).items()}


def disk_lasts(load, measures=Measures()):
    """Days until the disk is full, all kept as long as the defaults say; infinite: it never is."""
    each = {name: size * 86_400 / 1e12 for name, size in stores(load, measures).items()}
    for tenth in range(1, 4_400):
        day = tenth / 10
        rows = min(max(day - costs.DAYS["log"], 0), costs.DAYS["outcomes"]) * each["outcomes"]
        if min(day, costs.DAYS["log"]) * each["log"] + min(day, costs.DAYS["identities"]) * each["identities"] + rows > costs.STORE_TB:
            return day
    return math.inf


def ram_gib(load):
    """As a rule, and where every window is full."""
    filled = min(64, load.log * 86_400 * costs.DAYS["identities"] * 1.5 / 2**20)
    rule = (170 + filled + load.links * (costs.CONNECTION_KIB + 100) / 1024) / 1024
    return rule, rule + load.links_in * costs.WINDOW_MIB / 1024


def network_mb(load, cost):
    """The greater direction."""
    each = costs.WIRE_BYTES + load.statements * costs.STATEMENT_BYTES
    return (max(load.sent, load.received) * each + cost.frames / 2 * costs.FRAME_BYTES) / 1e6


def catchup_rate(load, cost, share, measures=Measures()):
    """Events a second of what a gateway receives, by so many processors; a link has one strand."""
    work = session_work(load, cost.prices, measures, 64)
    whole = work + (judging(load, cost.prices, measures) if measures.spread else 0)
    return min(share / costs.CATCHUP_WHOLE * 1e6 / whole, max(load.links_in, 1) * 1e6 / work)


def burdens(load, cost, cores, measures=Measures()):
    """What is needed at once, as a share of what there is: more than 1 breaks."""
    event = costs.RECORD + costs.APPEND + costs.IDENTITY
    kept = stores(load, measures)
    commits = load.log * event / 1e6 + load.log / costs.MAX_COMMIT * (costs.COMMIT + costs.SYNC) / 1e6
    written = load.log * costs.RECORD_BYTES / 1e6 / costs.DISK_MB
    return {
        "processors": cost.cores / cores,
        "committer": commits + written,
        "strand": cost.strand,
        "disk": (kept["log"] + cost.commits * 4_096 + 10 * kept["identities"]) / 1e6 / costs.DISK_MB,
        "network": network_mb(load, cost) / costs.NETWORK_MB,
    }


def after_outage(load, rate):
    """Hours until the backlog of one is gone."""
    return load.received / (rate - load.received) if rate > load.received else math.inf


# ------------------------------------------------------------ tables
def number(value):
    if isinstance(value, str):
        return value
    if math.isinf(value):
        return "never"
    if abs(value) >= 999_500:
        return f"{value / 1e6:.3g} M"
    if abs(value) >= 1_000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}" if abs(value) >= 10 else f"{value:.2g}"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    print("\n".join(lines + ["| " + " | ".join(map(number, row)) + " |" for row in rows]))


def worst(shares, how_many=1):
    most = sorted(shares.items(), key=lambda item: -item[1])[:how_many]
    return [f"{name} {number(share)}" for name, share in most]


def fan_out(rate, readers, pause_ms):
    """µs a delivery: at B a write for each reader and round (docs/adr/0034), and the relay before it."""
    n = 1 + rate * pause_ms / 1e3
    a, b = relay_cost_of(Prices(2 * rate, 2))[0], relay_cost_of(Prices(rate / n * readers, 2))[1]
    return Prices(rate / n * readers, 2).message / n + costs.DELIVER + costs.TRANSPORT + (a + b) / readers


def relay_cost_of(prices):
    """A lone event at A, and at B without its delivery."""
    return (costs.PER_EVENT_A + 2 * prices.message + prices.commit + prices.sign,
            costs.PER_EVENT_B + prices.message + prices.commit + prices.verify())


def filtered(rate, streams):
    """Processors, where each event is for so many streams of their own."""
    prices = Prices(rate * (1 + streams), 2)
    return rate * (costs.PER_EVENT_A + prices.commit + prices.message + streams * (prices.message + costs.DELIVER + costs.TRANSPORT)) / 1e6


def validation_points():
    """(what, least measured, most measured, model)."""
    (_, slow_p50, slow), (_, fast_p50, fast) = costs.simulate_steady(1_000), costs.simulate_steady(5_000)
    burst = sum(costs.relay_cost(100, 70_000))
    behind = costs.relay_cost(costs.MAX_FRAME, 70_000)
    return [
        ("bursts, µs an event", 15.8, 17.3, burst),
        ("bursts, events/s", 90_237, 101_594, 2e6 / (burst + 4.3)),
        ("catching up, µs an event", 10.6, 10.6,
         behind[1] + costs.READ_BACK + costs.DECIDE + costs.LEAVES_A + costs.TRANSPORT),
        ("one at a time, µs an event", 705, 1_013, sum(costs.relay_cost(1, 3_600))),
        ("1,000/s, µs an event (fitted)", 942, 942, slow),
        ("1,000/s, p50 in ms (fitted)", 0.90, 0.90, slow_p50),
        ("5,000/s, µs an event", 262, 262, fast),
        ("5,000/s, p50 in ms", 3.5, 3.5, fast_p50),
        ("an event that is alone, at A, µs", 450, 450, relay_cost_of(Prices(1_000, 2))[0]),
        ("100 subscribers, 100/s, µs a delivery", 45.6, 57.3, fan_out(100, 100, 0)),
        ("100 subscribers, 500/s, µs a delivery", 15.1, 18.7, fan_out(500, 100, 9)),
        ("1,000 filtered subscribers, 1,000/s, processors", 0.72, 0.82, filtered(1_000, 10.3)),
    ]


def deviation(least, most, predicted):
    """By what factor a prediction is outside of what was measured; 1: it is not."""
    return max(least / predicted, predicted / most, 1.0)


def print_validation(_args):
    rows = [(what, number(least) if least == most else f"{number(least)} to {number(most)}", predicted,
             f"{deviation(least, most, predicted):.2f}") for what, least, most, predicted in validation_points()]
    table(("what", "measured", "model", "off by a factor of"), rows)


def print_batches(_args):
    cases = [(rate, 5, 50, 0) for rate in (200, 1_000, 2_000, 4_000, 8_000, 16_000)]
    cases += [(1_000, 5, 5, 0), (1_000, 5, 50, 20), (1_000, 5, 50, 50)]
    table(("events/s", "on one link", "gathers, ms", "a commit", "a frame", "µs a delivery", "p50, ms", "processors"),
          [(f"{rate:,}, each for {k} of {links}", rate * k / links, gather, *costs.simulate_links(rate, k, links, gather))
           for rate, k, links, gather in cases])


def print_topologies(args):
    rows = []
    for topology in compared(args):
        for kind, (count, load) in topology.loads.items():
            cost = cost_of(load, args.cores)
            rows.append((f"{topology.name}: {kind}", load.links, load.log, load.sent, cost.frame, cost.frames, cost.commits,
                         f"{number(cost.cores)}, {max(cost.parts, key=cost.parts.get)}", cost.gather, network_mb(load, cost),
                         latency_ms(topology, cost, args.rtt), cost.cores * count))
    table(("gateway", "links", "logged/s", "sent/s", "a frame", "frames/s", "syncs/s", "processors, most for", "waits, ms", "MB/s",
           "p50, ms", "processors of all"), rows)


def print_first(args):
    rows = []
    for topology in compared(args):
        for kind, (_, load) in topology.loads.items():
            cost = cost_of(load, args.cores)
            hours = after_outage(load, catchup_rate(load, cost, costs.CATCHUP_SHARE))
            rows.append((f"{topology.name}: {kind}", *worst(burdens(load, cost, args.cores), 2), hours,
                         costs.FILTER_IDS / load.log / 3_600, load.log * costs.LOOK_UP / 1e6, disk_lasts(load),
                         load.outcomes * costs.FOLD / 1e6))
    table(("gateway", "at once", "and", "behind after 1 h away, h", "filter full after, h", "look-ups then, threads", "disk full after, days",
           "retention, threads"), rows)


def print_skew(args):
    total, rows = sum(1 / i for i in range(1, args.domains + 1)), []
    for place in (1, 10, 100, args.domains // 2):
        for k in args.k[1:3]:
            rate, links = args.rate / place / total, args.domains - 1
            load = Load(published=rate, received=k * args.rate / args.domains, links_in=links, sent=k * rate, links_out=links,
                        links=links, keys=links)
            cost = cost_of(load, args.cores)
            rows.append((f"{place}., k = {k}", rate, load.sent, cost.frame, cost.cores, cost.gather,
                         *worst(burdens(load, cost, args.cores))))
    table(("domain", "published/s", "sent/s", "a frame", "processors", "waits, ms", "first"), rows)


def print_stores(args):
    rows = []
    for name, load in chosen(args):
        kept, each = full_stores_tb(load), stores(load)
        rows.append((name, each["log"] / 1e6, each["log"] * 0.0864 / 1e6, kept["log"], kept["identities"], kept["outcomes"],
                     costs.TAIL_MIB * 2**20 / each["log"] * 1e3, *ram_gib(load)))
    table(("gateway", "log, MB/s", "TB a day", "log, TB", "identities, TB", "outcomes, TB", "in memory, ms", "memory, GiB", "at most"),
          rows)


def print_recovery(args):
    rows, better = [], Measures(prepared=4_096, spread=True)
    for name, load in chosen(args):
        cost = cost_of(load, args.cores)
        rates = (catchup_rate(load, cost, costs.CATCHUP_SHARE), catchup_rate(load, cost, args.cores),
                 catchup_rate(load, cost, args.cores, better))
        rows.append((name, load.received, rates[0], *(after_outage(load, rate) for rate in rates),
                     load.links * costs.HANDSHAKE / 1e6 / args.cores, load.links * costs.TICK / 1e6))
    table(("gateway", "comes, events/s", "caught up beside it, events/s", "1 h away: h behind", "by all processors",
           "keys prepared, off the strand", "handshakes, s", "manager, s"), rows)


STEPS = [("as it is", {}), ("all keys prepared", {"prepared": 4_096}), ("statements off the strand", {"spread": True}),
         ("origins sign 50 together", {"origin": 50.0}), ("one look for all links", {"indexed": True}),
         ("20 ms of gathering", {"gather": 20.0}), ("100 ms of it", {"gather": 100.0})]


def print_measures(args):
    rows = []
    for place in range(len(chosen(args))):
        measures = Measures()
        for step, change in STEPS:
            measures = dataclasses.replace(measures, **change)
            name, load = chosen(args, measures.origin)[place]
            cost = try_cost(load, args.cores, measures, measures.gather)
            row = [cost.frame, cost.frames, cost.cores, cost.cores * 1e6 / max(load.received, load.sent),
                   *worst(burdens(load, cost, args.cores, measures), 2)]
            if not change or row != rows[-1][1:]:
                rows.append([f"{name}: {step}"] + row)
    table(("gateway: and besides", "a frame", "frames/s", "processors", "µs a delivery", "first", "second"), rows)


SECTIONS = {"validation": print_validation, "batches": print_batches, "topologies": print_topologies, "first": print_first,
            "skew": print_skew, "stores": print_stores, "recovery": print_recovery, "measures": print_measures}


def integers(text):
    return [int(part) for part in text.split(",")]


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--domains", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=1e6, help="events a second, all domains together")
    parser.add_argument("--k", type=integers, default=[1, 5, 20, 100], help="how many domains want an event")
    parser.add_argument("--hubs", type=integers, default=[8, 32, 128])
    parser.add_argument("--cores", type=int, default=16, help="processors of each machine")
    parser.add_argument("--rtt", type=float, default=10, help="between domains, ms")
    return parser.parse_args(argv)


def main(argv):
    args = arguments(argv)
    SECTIONS[args.section](args)


if __name__ == "__main__":
    main(sys.argv[1:])
