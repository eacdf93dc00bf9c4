"""What has to hold of a run of the chaos harness, whatever happened in it. It knows nothing of processes:
it is given what was observed, and tells what is wrong.

Of the invariants of architecture.md section 11 these are checked, by what gateways, their command line
and their subscribers tell at the end:

  1  each event is in a peer's log where the policies in force when it was decided let it cross, by one
     way or another, and in no other log; nothing is decided by an older policy after a newer one
  2  what a publisher was told is in the log, at that sequence
  3  a log has each event once, without gaps; subscribers get all of it in order, those that resume once,
     those that acknowledge nothing behind their acknowledgement, and redeliveries say so
  4  each event is byte for byte what its origin published, and came from its origin or over peers
  5  each event has for each peer one state with a reason, and all counters agree with these
  8  no gateway ends by itself, and none writes of an internal error; no peer signs for something else
     than it was sent

    problems = checker.check(observations)      # texts; none: all holds
"""
import collections
import dataclasses
import functools

import policy_harness

# What a log and a subscriber tell of an event.
Logged = collections.namedtuple("Logged", ["sequence", "id", "origin", "received_from", "content"])
Delivered = collections.namedtuple("Delivered", ["sequence", "id", "origin", "attempt", "content"])
# In a subscriber's journal, beside what is delivered.
Started = collections.namedtuple("Started", ["epoch", "sequence"])
Acknowledged = collections.namedtuple("Acknowledged", ["sequence"])
Published = collections.namedtuple("Published", ["index", "sequence", "duplicate"])

ARRIVED = {"accepted", "acknowledged_undisclosed"}
# Whoever gave us an event is no receiver of it: who-got does not name it, and counters have these.
GIVEN = ""
GIVEN_AS = {("denied", "split_horizon"), ("denied", "transit_not_allowed")}
SHOWN = 5  # of each kind of problem


@dataclasses.dataclass
class Observations:
    """Gateways go by their numbers, domains by their names."""

    names: dict  # number: domain
    pairs: set  # (a, b): direct peers, both ways
    seeds: dict  # number: seed of the events that are published there
    events: dict  # number: how many are published there
    published: dict  # number: [Published], acknowledged
    logs: dict  # number: [Logged]
    journals: dict  # (number, client): [Started | Delivered | Acknowledged]
    verdicts: dict  # (exporter, importer): [Verdict]
    gates: dict  # (exporter, importer): {version: Gate}
    marks: dict  # (exporter, importer): [(sequence, version)]: what is behind it is decided by that or a later one
    imports: dict  # (exporter, importer): Gate
    exported: dict  # (exporter, importer): Counter of (state, reason), as the exporter counts
    imported: dict  # (exporter, importer): Counter, as the importer counts
    troubles: list  # of processes
    transit: bool = False  # events of others than direct peers may arrive

    def index_of(self, number, event_id):
        """Of an event that is published there; None: it is none."""
        prefix = f"chaos-{self.seeds[number]}-"
        text = event_id[len(prefix):]
        if not event_id.startswith(prefix) or not text.isdigit() or int(text) >= self.events[number]:
            return None
        return int(text)

    def origin_of(self, event_id):
        """Number of the gateway where it is published, and its index there; None: nowhere."""
        for number in self.names:
            index = self.index_of(number, event_id)
            if index is not None:
                return number, index
        return None

    def path_of(self, number, event_id):
        """Gateways that the copy in a log came through, that one first: each passes on the copy that it
        has, which is the one that came first."""
        path = [number]
        while (row := self.copies[path[-1]].get(event_id)) and row.received_from != "-":
            before = next((n for n, domain in self.names.items() if domain == row.received_from), None)
            if before is None or before in path:
                break
            path.append(before)
        return path

    @functools.cached_property
    def copies(self):
        return {number: {row.id: row for row in log} for number, log in self.logs.items()}


class Report:
    """Problems, few of each kind."""

    def __init__(self):
        self.kinds = collections.OrderedDict()

    def add(self, kind, text):
        self.kinds.setdefault(kind, []).append(text)

    def texts(self):
        out = []
        for kind, texts in self.kinds.items():
            more = f" (and {len(texts) - SHOWN} more)" if len(texts) > SHOWN else ""
            out.append(f"{kind}: {'; '.join(texts[:SHOWN])}{more}")
        return out


def check(seen):
    report = Report()
    for text in seen.troubles:
        report.add("process", text)
    for number in seen.names:
        check_log(seen, number, report)
        check_published(seen, number, report)
    for way in sorted(seen.pairs):
        check_crossing(seen, way, report)
        check_versions(seen, way, report)
        check_counts(seen, way, report)
    for (number, client), journal in sorted(seen.journals.items()):
        check_journal(seen.logs[number], journal, client, f"{seen.names[number]} {client}", report)
    return report.texts()


# --- logs

def check_log(seen, number, report):
    """Sequences without a gap, each event once, as it was published, from who may send it."""
    name, log = seen.names[number], seen.logs[number]
    gaps = [row.sequence for at, row in enumerate(log, 1) if row.sequence != at]
    if gaps:
        report.add("gap in a log", f"{name} at {gaps[0]}")
    for key, count in collections.Counter((row.origin, row.id) for row in log).items():
        if count > 1:
            report.add("twice in a log", f"{name} has {key[1]} {count} times")
    for row in log:
        if row.content != "same":
            report.add("other content", f"{row.id} in {name}")
        check_provenance(seen, number, row, report)


def check_provenance(seen, number, row, report):
    name = seen.names[number]
    origin = next((n for n, domain in seen.names.items() if domain == row.origin), None)
    if origin is None or seen.index_of(origin, row.id) is None:
        report.add("unknown event", f"{row.id} of {row.origin} in {name}")
    elif origin == number:
        if row.received_from != "-":
            report.add("wrong way", f"{row.id} came to its origin {name} from {row.received_from}")
    elif not may_arrive(seen, origin, number):
        report.add("wrong way", f"{row.id} of {row.origin} in {name}")
    elif not any(seen.names[a] == row.received_from and (seen.transit or a == origin) for a, b in seen.pairs if b == number):
        report.add("wrong way", f"{row.id} of {row.origin} came to {name} from {row.received_from}")


def may_arrive(seen, origin, number):
    """From its origin to direct peers; in transit to whoever is connected."""
    if not seen.transit:
        return (origin, number) in seen.pairs
    reached, edge = {origin}, [origin]
    while edge:
        at = edge.pop()
        further = {b for a, b in seen.pairs if a == at} - reached
        reached |= further
        edge += further
    return number in reached


def check_published(seen, number, report):
    """What was acknowledged is in the origin's log, at the sequence that was told."""
    name = seen.names[number]
    at = {row.id: row.sequence for row in seen.logs[number] if row.origin == name}
    if [one.index for one in seen.published[number]] != list(range(seen.events[number])):
        report.add("not published", f"{name}: {len(seen.published[number])} of {seen.events[number]} are acknowledged")
    for one in seen.published[number]:
        event_id = f"chaos-{seen.seeds[number]}-{one.index}"
        if at.get(event_id) != one.sequence:
            report.add("acknowledged and lost", f"{event_id} is at {at.get(event_id)} of {name}, it was told {one.sequence}")


# --- between two

def expected_states(seen, way, row):
    """States that an event may have at its exporter, by the gates that decided; none: by no known one."""
    copy = seen.copies[way[0]].get(row.id)
    if copy and copy.received_from == seen.names[way[1]]:
        return {GIVEN}
    gate = seen.gates[way].get(int(row.policy_version or 0))
    origin, index = seen.origin_of(row.id) or (None, None)
    if gate is None or origin is None:
        return set()
    if origin != way[0] and (not seen.transit or way[1] in seen.path_of(way[0], row.id)):
        return {"denied"}
    seed = seen.seeds[origin]
    if gate.rule_of(seed, index) != "subjects":
        return {"denied"}
    if seen.imports[way].rule_of(seed, index) != "subjects":
        # Undisclosed: the receiver refused it, and that it did was lost.
        return {"not_wanted", "refused", "acknowledged_undisclosed"}
    return ARRIVED


def check_crossing(seen, way, report):
    """The peer has each event that it is entitled to once, in order, and no other."""
    exporter, importer = way
    text = f"{seen.names[exporter]} to {seen.names[importer]}"
    rows, log = seen.verdicts[way], seen.logs[exporter]
    if [row.id for row in rows] != [row.id for row in log]:
        report.add("unaccounted", f"{text}: {len(rows)} verdicts on {len(log)} events")
    # Over another way they may have come before.
    arrived = [row.id for row in seen.logs[importer] if row.received_from == seen.names[exporter]]
    entitled = []
    for row in rows:
        states = expected_states(seen, way, row)
        if row.state not in states:
            report.add("wrong outcome", f"{text}: {row.id} is {row.state} by version {row.policy_version}, not {sorted(states)}")
        if states == ARRIVED:
            entitled.append(row.id)
    denied, missing = set(arrived) - set(entitled), set(entitled) - set(seen.copies[importer])
    if denied:
        report.add("crossed against the policies", f"{text}: {sorted(denied)[:SHOWN]}")
    if missing:
        report.add("lost", f"{text}: {sorted(missing)[:SHOWN]} of {len(missing)}")
    places = {event_id: place for place, event_id in enumerate(entitled)}
    order = [places[event_id] for event_id in arrived if event_id in places]
    if order != sorted(order):
        report.add("out of order", text)


def check_versions(seen, way, report):
    """A policy decides what is published after it was applied, and an older one nothing after a newer."""
    newest = 0
    marks = sorted(seen.marks[way])
    for row in seen.verdicts[way]:
        if row.direction != "export":
            continue
        version = int(row.policy_version or 0)
        least = max([newest, *(v for sequence, v in marks if row.sequence > sequence)])
        if version < least:
            report.add("decided by an old policy", f"{seen.names[way[0]]} to {seen.names[way[1]]}: {row.id} by {version}, not {least}")
        newest = max(newest, version)


def check_counts(seen, way, report):
    """Sums of who-got, and of what both sides count."""
    text = f"{seen.names[way[0]]} to {seen.names[way[1]]}"
    told = collections.Counter((row.state, row.reason) for row in seen.verdicts[way])
    given = told.pop((GIVEN, GIVEN), 0)
    further = seen.exported[way] - told
    if told - seen.exported[way] or sum(further.values()) != given or set(further) - GIVEN_AS:
        report.add("counts differ", f"{text}: who-got {dict(told)}, counted {dict(seen.exported[way])}")
    if sum(told.values()) + given != len(seen.logs[way[0]]):
        report.add("counts differ", f"{text}: {sum(told.values()) + given} outcomes of {len(seen.logs[way[0]])} events")
    arrived = sum(1 for row in seen.logs[way[1]] if row.received_from == seen.names[way[0]])
    taken = sum(count for (state, _), count in seen.imported[way].items() if state == "accepted")
    # What comes over a second way is accepted, too, and not there twice.
    if taken < arrived or (taken != arrived and not seen.transit):
        report.add("counts differ", f"{text}: {arrived} arrived, the importer counts {taken}")


# --- subscribers

def check_journal(log, journal, client, text, report):
    """Every event of the log, in order; once where the subscriber resumes, and behind its
    acknowledgement where the gateway does."""
    known = {row.sequence: row.id for row in log}
    attempts, confirmed, last = {}, 0, 0
    for line in journal:
        if isinstance(line, Started):
            last = line.sequence
        elif isinstance(line, Acknowledged):
            confirmed = max(confirmed, line.sequence)
        else:
            check_delivery(known, line, last, report, text)
            before = attempts.get(line.sequence, 0)
            if line.sequence <= confirmed:
                report.add("delivered after its acknowledgement", f"{text}: {line.sequence}")
            if before and client == "resuming":
                report.add("delivered twice", f"{text}: {line.sequence}")
            elif before and line.attempt < 2:
                report.add("a redelivery does not say so", f"{text}: {line.sequence}, attempt {line.attempt} after {before}")
            attempts[line.sequence] = line.attempt
            last = line.sequence
    missing = sorted(set(known) - set(attempts))
    if missing:
        report.add("not delivered", f"{text}: {missing[:SHOWN]} of {len(missing)}")


def check_delivery(known, line, last, report, text):
    if known.get(line.sequence) != line.id or line.content != "same":
        report.add("delivered what the log has not", f"{text}: {line.sequence} {line.id} {line.content}")
    if line.sequence != last + 1:
        report.add("out of order at a subscriber", f"{text}: {line.sequence} behind {last}")


# --- reading what programs wrote

def read_journal(path):
    out = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            kind, *words = line.split()
            if kind == "S":
                out.append(Started(words[0], int(words[1])))
            elif kind == "A":
                out.append(Acknowledged(int(words[0])))
            else:
                out.append(Delivered(int(words[0]), words[1], words[2], int(words[3]), words[4]))
    return out


def read_log(path):
    with open(path, encoding="utf-8") as file:
        rows = [line.split() for line in file]
    return [Logged(int(row[0]), *row[1:]) for row in rows]


def read_published(path):
    with open(path, encoding="utf-8") as file:
        rows = [line.split() for line in file]
    return [Published(int(index), int(sequence), duplicate == "1") for index, sequence, duplicate in rows]


def read_verdicts(path):
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    failed = [row for row in rows if row[1] == "!"]
    if failed:
        raise AssertionError(f"{len(failed)} of {len(rows)} questions were not answered: {failed[0]}")
    return [policy_harness.Verdict(int(row[0]), *row[1:]) for row in rows]
