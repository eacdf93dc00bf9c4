"""What happens to some gateways in a run of the chaos harness, from its seed alone.

    plan = schedule.make(7, seconds=60, gateways=(3, 6))
    print(plan.text())

The same seed, length and bounds give the same plan on every machine.
"""
import dataclasses
import json
import random

import policy_harness

TOPOLOGIES = ("mesh", "chain", "ring", "star")
# kind: (of what, how often beside others)
FAULTS = {
    "partition": ("pair", 3), "delay": ("pair", 2), "loss": ("pair", 2), "duplicate": ("pair", 1), "reorder": ("pair", 1),
    "kill": ("gateway", 4), "stop": ("gateway", 3), "disk_low": ("gateway", 1), "disk_full": ("gateway", 2),
    "clock": ("gateway", 2), "rotate": ("gateway", 1), "policy": ("way", 3), "kill_client": ("client", 2),
}
CLIENTS = ("publisher", "named", "resuming")


@dataclasses.dataclass
class Fault:
    at: float  # seconds after everything runs
    lasts: float
    kind: str
    target: list  # a gateway's number; two of a pair; exporter and importer; gateway and client
    values: dict

    def text(self):
        target = " ".join(map(str, self.target))
        values = json.dumps(self.values) if self.values else ""
        return f"{self.at:6.2f} s  {self.kind:11} {target:12} {f'for {self.lasts:.2f} s' if self.lasts else '':12} {values}".rstrip()


@dataclasses.dataclass
class Schedule:
    seed: int
    seconds: float
    gateways: int
    topology: str
    pairs: list  # [a, b], a < b; the greater one dials
    rates: list  # events a second, of each gateway's publisher
    heartbeat: int  # seconds
    transit: bool  # events of others go on
    exports: dict  # (exporter, importer): gate as it is at first
    imports: dict  # (exporter, importer): gate of the importer
    faults: list

    def text(self):
        lines = [f"seed {self.seed}: {self.gateways} gateways in a {self.topology}, {self.seconds:g} s, heartbeats of {self.heartbeat} s"
                 f"{', transit' if self.transit else ''}",
                 f"pairs {self.pairs}", f"events a second {self.rates}"]
        lines += [f"{a} to {b}: exports {gate_text(self.exports[a, b])}, takes {gate_text(self.imports[a, b])}" for a, b in sorted(self.exports)]
        return "\n".join(lines + [fault.text() for fault in self.faults])

    def event_seed(self, gateway):
        """Of the events that are published at a gateway: their ids tell whose they are."""
        return self.seed * 16 + gateway

    def events(self, gateway):
        return max(1, int(self.rates[gateway - 1] * self.seconds))

    def ways(self):
        """Both directions of each pair."""
        return sorted([(a, b) for a, b in self.pairs] + [(b, a) for a, b in self.pairs])


def gate_text(gate):
    without = f" but {sorted(gate.without)}" if gate.without else ""
    return ",".join(sorted(gate.subjects)) + without


def make_pairs(topology, gateways):
    if topology == "star":
        return [[1, n] for n in range(2, gateways + 1)]
    if topology == "mesh":
        return [[a, b] for a in range(1, gateways + 1) for b in range(a + 1, gateways + 1)]
    chain = [[n, n + 1] for n in range(1, gateways)]
    return chain + [[1, gateways]] if topology == "ring" and gateways > 2 else chain


def make(seed, seconds=60.0, gateways=(3, 6)):
    # The length is no part of the seed's text: shorter runs are of the same kind, not the same.
    source = random.Random(f"{seed} {seconds:g} {gateways[0]} {gateways[1]}")
    count = source.randint(*gateways)
    topology = source.choice(TOPOLOGIES)
    pairs = make_pairs(topology, count)
    plan = Schedule(seed, seconds, count, topology, pairs, [source.randint(10, 40) for _ in range(count)],
                    source.choice([1, 2, 5]), source.random() < 0.7, {}, {}, [])
    for a, b in plan.ways():
        plan.exports[a, b] = policy_harness.Gate.any(source)
        plan.imports[a, b] = policy_harness.Gate(source.sample(sorted(set(policy_harness.SUBJECTS)), source.randint(4, 7)))
    plan.faults = make_faults(source, plan)
    return plan


def make_faults(source, plan):
    """Not two at once of one gateway, or of one pair."""
    last = plan.seconds * 0.9
    wanted = max(4, int(plan.seconds / 3.5))
    busy, faults = {}, []
    for _ in range(wanted * 3):
        kind = source.choices(list(FAULTS), [weight for _, weight in FAULTS.values()])[0]
        fault = make_fault(source, plan, kind, source.uniform(0.3, last))
        fault.lasts = round(min(fault.lasts, last + 0.5 - fault.at), 2)
        place = place_of(fault)
        taken = busy.setdefault(place, [])
        # A gateway needs a moment to be there again.
        if any(begin - 1.5 < fault.at + fault.lasts and fault.at < end + 1.5 for begin, end in taken):
            continue
        taken.append((fault.at, fault.at + fault.lasts))
        faults.append(fault)
        if len(faults) == wanted:
            break
    return sorted(faults, key=lambda fault: fault.at)


def place_of(fault):
    return tuple(sorted(fault.target)) if FAULTS[fault.kind][0] == "pair" else (fault.target[0], FAULTS[fault.kind][0] == "client")


def make_fault(source, plan, kind, at):
    what = FAULTS[kind][0]
    gateway = source.randint(1, plan.gateways)
    target = {"pair": lambda: list(source.choice(plan.pairs)), "gateway": lambda: [gateway],
              "way": lambda: list(source.choice(plan.ways())), "client": lambda: [gateway, source.choice(CLIENTS)]}[what]()
    lasts, values = {
        "partition": lambda: (source.choice([0.5, 3, 8, 20]), {"ways": source.choice(["both", "there", "back"])}),
        "delay": lambda: (source.uniform(2, 15), {"delay_ms": source.choice([20, 100, 400]), "jitter_ms": source.choice([0, 20, 100])}),
        "loss": lambda: (source.uniform(2, 15), {"loss": source.choice([0.01, 0.05, 0.2])}),
        "duplicate": lambda: (source.uniform(2, 15), {"duplicate": source.choice([0.05, 0.3])}),
        "reorder": lambda: (source.uniform(2, 15), {"reorder": source.choice([0.05, 0.3]), "delay_ms": 5}),
        "kill": lambda: (source.choice([0, 0.2, 1, 4]), {}),
        "stop": lambda: (source.choice([0.5, 2, 6, 18]), {}),
        "disk_low": lambda: (source.uniform(1, 6), {}),
        "disk_full": lambda: (source.uniform(1, 6), {}),
        "clock": lambda: (0, {"seconds": source.choice([-120, -5, 5, 60, 120])}),
        "rotate": lambda: (0, {"what": source.choice(["gateway", "attestor"])}),
        "policy": lambda: (0, {"gate": gate_values(policy_harness.Gate.any(source))}),
        "kill_client": lambda: (source.choice([0, 0.5]), {}),
    }[kind]()
    return Fault(round(at, 2), lasts, kind, target, values)


def gate_values(gate):
    return {"subjects": sorted(gate.subjects), "without": sorted(gate.without)}


def gate_of(values):
    return policy_harness.Gate(values["subjects"], values["without"])
