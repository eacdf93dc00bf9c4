#!/usr/bin/env python3
"""The checker of the chaos harness: silent on what holds, and loud on each thing that does not."""
import collections
import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import checker  # noqa: E402
import policy_harness  # noqa: E402
from checker import Acknowledged, Delivered, Logged, Published, Started  # noqa: E402

EVENTS = 20
ALL = policy_harness.Gate(policy_harness.SUBJECTS)
EVEN = policy_harness.Gate(policy_harness.SUBJECTS, [1, 3, 5, 7, 9])
NAMES = {1: "d1.example", 2: "d2.example", 3: "d3.example"}
SEED = 17


def event_id(index):
    return f"chaos-{SEED}-{index}"


def verdict(sequence, index, state):
    return policy_harness.Verdict(sequence, event_id(index), state, "allowed_by_rule" if state == "accepted" else state,
                                  "", "", "", "", "", "", "1", "0", "", "export")


def given(sequence, index):
    """Of an event that came from the peer asked about."""
    return verdict(sequence, index, "")._replace(direction="import")


def journal(log):
    lines = [Started("e", 0)]
    for row in log:
        lines += [Delivered(row.sequence, row.id, row.origin, 1, "same")]
        lines += [Acknowledged(row.sequence)] if row.sequence % 5 == 0 else []
    return lines


def observed():
    """d1 publishes; d2 gets everything and passes on what is even to d3."""
    ways = {(1, 2), (2, 1), (2, 3), (3, 2)}
    even = [index for index in range(EVENTS) if index % 2 == 0]
    logs = {1: [Logged(i + 1, event_id(i), "d1.example", "-", "same") for i in range(EVENTS)],
            2: [Logged(i + 1, event_id(i), "d1.example", "d1.example", "same") for i in range(EVENTS)],
            3: [Logged(at + 1, event_id(i), "d1.example", "d2.example", "same") for at, i in enumerate(even)]}
    verdicts = {(1, 2): [verdict(i + 1, i, "accepted") for i in range(EVENTS)],
                (2, 1): [given(i + 1, i) for i in range(EVENTS)],
                (2, 3): [verdict(i + 1, i, "accepted" if i % 2 == 0 else "denied") for i in range(EVENTS)],
                (3, 2): [given(at + 1, i) for at, i in enumerate(even)]}
    exported = {way: collections.Counter((row.state, row.reason) for row in verdicts[way]) for way in ways}
    for way in ((2, 1), (3, 2)):
        exported[way] = collections.Counter({("denied", "split_horizon"): len(verdicts[way])})
    return checker.Observations(
        names=NAMES, pairs=ways, seeds={1: SEED, 2: SEED + 1, 3: SEED + 2}, events={1: EVENTS, 2: 0, 3: 0},
        published={1: [Published(i, i + 1, False) for i in range(EVENTS)], 2: [], 3: []}, logs=logs,
        journals={(n, name): journal(logs[n]) for n in NAMES for name in ("named", "resuming")},
        verdicts=verdicts, gates={way: {1: EVEN if way == (2, 3) else ALL} for way in ways}, marks={way: [] for way in ways},
        imports={way: ALL for way in ways},
        exported=exported,
        imported={(1, 2): collections.Counter({("accepted", ""): EVENTS}), (2, 1): collections.Counter(),
                  (2, 3): collections.Counter({("accepted", ""): len(even)}), (3, 2): collections.Counter()},
        troubles=[], transit=True)


class CheckerTest(unittest.TestCase):
    def broken(self, kind, change):
        seen = copy.deepcopy(observed())
        change(seen)
        problems = checker.check(seen)
        self.assertTrue(any(problem.startswith(kind + ":") for problem in problems), f"{kind} is not in {problems}")

    def test_is_silent_where_all_holds(self):
        self.assertEqual(checker.check(observed()), [])

    def test_notices_logs(self):
        def put(number, at, **fields):
            return lambda seen: seen.logs[number].__setitem__(at, seen.logs[number][at]._replace(**fields))
        self.broken("gap in a log", lambda seen: seen.logs[2].pop(3))
        self.broken("twice in a log", put(2, 3, id=event_id(4)))
        self.broken("other content", put(3, 3, content="other"))
        self.broken("unknown event", put(2, 3, id="chaos-99-1"))
        self.broken("wrong way", put(3, 3, received_from="d1.example"))
        self.broken("wrong way", put(1, 3, received_from="d2.example"))
        self.broken("acknowledged and lost", lambda seen: seen.logs[1].pop())
        self.broken("not published", lambda seen: seen.published[1].pop())

    def test_notices_what_crosses(self):
        def state(way, at, value):
            return lambda seen: seen.verdicts[way].__setitem__(at, seen.verdicts[way][at]._replace(state=value))
        self.broken("lost", lambda seen: seen.logs[3].pop())
        self.broken("crossed against the policies",
                    lambda seen: seen.logs[3].append(Logged(11, event_id(1), "d1.example", "d2.example", "same")))
        self.broken("unaccounted", lambda seen: seen.verdicts[1, 2].pop())
        self.broken("wrong outcome", state((2, 3), 1, "accepted"))
        self.broken("wrong outcome", state((2, 3), 0, "refused"))
        self.broken("wrong outcome", state((2, 1), 0, "accepted"))  # back to where it came from

        def swap(seen):
            rows = seen.logs[3]
            rows[2], rows[3] = rows[3]._replace(sequence=3), rows[2]._replace(sequence=4)
        self.broken("out of order", swap)

    def test_notices_transit_where_there_is_none(self):
        self.broken("wrong way", lambda seen: setattr(seen, "transit", False))

    def test_notices_old_policies_and_counts(self):
        self.broken("decided by an old policy", lambda seen: seen.marks[1, 2].append((5, 2)))
        for way in ((1, 2), (2, 1)):
            self.broken("counts differ", lambda seen, way=way: seen.exported[way].update({("denied", "no_rule"): 1}))
            self.broken("counts differ", lambda seen, way=way: seen.exported[way].update({("denied", "split_horizon"): 1}))
            self.broken("counts differ", lambda seen, way=way: seen.exported[way].subtract(list(seen.exported[way])))
        self.broken("counts differ", lambda seen: seen.imported[1, 2].subtract({("accepted", ""): 1}))

    def test_notices_subscribers(self):
        def last(client, change):
            return lambda seen: change(seen.journals[2, client])

        def again(attempt):
            return lambda lines: lines.extend([Started("e", 17), Delivered(18, event_id(17), "d1.example", attempt, "same")])
        self.broken("not delivered", last("named", lambda lines: lines.remove(lines[-2])))
        self.broken("out of order at a subscriber", last("named", lambda lines: lines.pop(3)))
        self.broken("delivered twice", last("resuming", again(2)))
        self.broken("delivered after its acknowledgement", last("named", again(2)))
        self.broken("a redelivery does not say so", last("named", again(1)))
        self.broken("delivered what the log has not",
                    last("named", lambda lines: lines.append(Delivered(21, event_id(0), "d1.example", 1, "same"))))

    def test_passes_on_troubles_of_processes(self):
        self.broken("process", lambda seen: seen.troubles.append("it crashed"))


if __name__ == "__main__":
    unittest.main()
