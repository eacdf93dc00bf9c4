"""What the parts of a gateway cost, and a small simulation of how events share messages, commits and signatures.

For scale_model.py. Microseconds of processor time unless a name or comment says otherwise, on the machine of the latest runs in
bench/README.md, two processors. docs/scale.md says what of it was measured."""
import collections
import heapq
import math
import random

# ------------------------------------------------------------ measured
# One end of a message (gRPC, TLS, sockets, threads that wake) by how many ends a process has in a second on two processors: the
# benchmark's relay in memory, one event a message, 382, 189 and 33.2 s per million at 1,000/s, 5,000/s and full speed, four ends.
MESSAGE = ((2_000, 95.5), (10_000, 47.25), (70_000, 8.3))
TRANSPORT = 1.22          # an event in a full message, at one end: grpc-relay-64, 4.9 s per million, four ends
ADMIT_PUBLISHED = 1.88    # docs/performance.md, "The budget": BM_Publish
ADMIT_IMPORTED = 1.48     # BM_Import
DECIDE = 0.26             # DecideTwentyRules
DECIDE_SHARED = 0.10      # bench/README.md, "Decisions": decided once and shared, per peer
LEAVES_A, LEAVES_B = 0.66, 1.15   # LeavesAndTreeOfBatch
DELIVER = 0.31            # BM_DeliverBehind64
RECORD = 0.11             # BM_MakeCommitOf64
IDENTITY = 0.75           # bench/README.md: 8 % of 18.5 for both gateways
APPEND = 0.13             # docs/performance.md: 1.22 an event at 64, less COMMIT / 64
COMMIT = 70               # docs/adr/0007: 72 at 24 KB an append, 90 at 200 KB
SIGN, SIGN_COLD = 28, 22  # docs/adr/0028; bench/README.md: 50 between other work
VERIFY, VERIFY_COLD = 30, 28      # the same, by a prepared key: 58 between other work
VERIFY_OPENSSL = 87       # docs/adr/0028: by a key that is not prepared
SYNC = 160                # no processor: fdatasync of 1 KiB
READ_BACK = 0.7           # BM_Read64, 2,200 instructions an event: who is behind what is in memory
RECORD_BYTES = 1_560      # bench/README.md: 308 MB at A, 314 to 321 at B for 200,000 events
HANDSHAKE = 2_300         # a thousand connections: 2.3 s
CONNECTION_KIB = 97       # the same, 97 KiB each
# ------------------------------------------------------------ read in the code and in docs/
PREPARED_KEYS = 64        # federation/session/attestor_registry.cc
STATEMENT_BYTES = 300     # docs/attestation.md: origin 150, export 330, and 32 for each level of a tree
IDENTITY_BYTES = 53.25    # docs/log_format.md: 52, and 10 bits
FILTER_IDS = 41.9e6       # docs/adr/0008: what 64 MiB hold
OUTCOME_BYTES, OUTCOME_PEER_BYTES = 250, 60   # docs/operations.md
TAIL_MIB, WINDOW_MIB = 32, 8                  # log.tail_bytes; federation/link/config.h
DAYS = {"log": 30, "identities": 90, "outcomes": 400}     # defaults
CATCHUP_SHARE, CATCHUP_WHOLE = 0.5, 3         # federation/session/catchup_share.h: of one processor, for all links
MAX_COMMIT, MAX_FRAME = 2_048, 512            # gateway/state/options.h, federation/link/config.h
HEARTBEATS = 0.4          # each way, every 5 s
# ------------------------------------------------------------ fitted to 1,000 events a second: 942 µs, p50 0.90 ms
COMMIT_COLD = 149         # more, where a commit is alone
ON_THE_WAY = 0.5          # of a lone message's cost, what is before the next stage begins
# ------------------------------------------------------------ assumed
WAKE = 2.0                # a link that waits is told of a commit: feed, strand, state machine, feed
REFUSE_ORIGIN = 0.05      # a link looks at an event of another origin that may not go on
INTEREST = 0.10           # what the peer wants, where the kind of the event is remembered
STATEMENT = 3.0           # one statement of an event read, its leaf and path, without the signature
LEDGER = 10.0             # one proposal with ledger rows, at most five a second and link
LOOK_UP = 15.0            # an identity in the tables, where the filter is full and the system has them in memory
FOLD = 10.0               # what became of one event for one peer, when retention removes it
TICK = 3.0                # one look at one link by the link manager
WIRE_BYTES, FRAME_BYTES = 1_400, 400
DISK_MB, NETWORK_MB, STORE_TB = 1_000, 3_125, 16          # of one machine

PER_EVENT_A = ADMIT_PUBLISHED + RECORD + APPEND + IDENTITY + DECIDE + LEAVES_A + 2 * TRANSPORT
PER_EVENT_B = ADMIT_IMPORTED + RECORD + APPEND + IDENTITY + DECIDE + LEAVES_B + DELIVER + 2 * TRANSPORT


def message_cost(ends, cores):
    """Of one end of a message, where a process on so many processors has `ends` a second."""
    points = [(math.log(x), math.log(y)) for x, y in MESSAGE]
    at = min(max(math.log(max(ends * 2 / cores, 1)), points[0][0]), points[-1][0])
    (x0, y0), (x1, y1) = points[:2] if at <= points[1][0] else points[1:]
    return math.exp(y0 + (y1 - y0) * (at - x0) / (x1 - x0))


class Prices:
    """Fixed costs: cold where messages are few, warm where they follow each other."""

    def __init__(self, ends, cores):
        self.message = message_cost(ends, cores)
        self.cold = (self.message - MESSAGE[-1][1]) / (MESSAGE[0][1] - MESSAGE[-1][1])
        self.commit = COMMIT + COMMIT_COLD * self.cold
        self.sign = SIGN + SIGN_COLD * self.cold

    def verify(self, keys=1, prepared=PREPARED_KEYS):
        known = min(1.0, prepared / max(keys, 1))
        return known * VERIFY + (1 - known) * VERIFY_OPENSSL + VERIFY_COLD * self.cold


def relay_cost(n, ends, cores=2):
    """An event at A and at B, where n share each message, commit and signature."""
    prices = Prices(ends, cores)
    return (PER_EVENT_A + (2 * prices.message + prices.commit + prices.sign) / n,
            PER_EVENT_B + (2 * prices.message + prices.commit + prices.verify()) / n)


def gathered(rate, busy_us):
    """What comes by a Poisson process and is taken by a stage that is busy so long with each batch: the mean batch."""
    load = rate * busy_us / 1e6
    return load + math.exp(-load)


# ------------------------------------------------------------ simulation
class Simulation:
    """Events in order of time, and processors that run one task each, first come first served. Seconds."""

    def __init__(self, cores):
        self.now, self.free, self.busy = 0.0, cores, 0.0
        self.waiting, self.heap, self.number = collections.deque(), [], 0

    def at(self, time, action):
        self.number += 1
        heapq.heappush(self.heap, (time, self.number, action))

    def run(self, took, then):
        """A task of `took` seconds on a processor."""
        self.waiting.append((took, then))
        self._start()

    def _start(self):
        while self.free and self.waiting:
            took, then = self.waiting.popleft()
            self.free -= 1
            self.busy += took
            self.at(self.now + took, lambda then=then: self._end(then))

    def _end(self, then):
        self.free += 1
        then()
        self._start()

    def go(self):
        while self.heap:
            self.now, _, action = heapq.heappop(self.heap)
            action()


class Stage:
    """Takes all that waits, works on it, and hands it on: while it works, what comes next gathers."""

    def __init__(self, sim, fixed, event, then, wait=0.0, most=MAX_COMMIT, gather=0.0):
        self.sim, self.fixed, self.event, self.then = sim, fixed / 1e6, event / 1e6, then
        self.wait, self.most, self.gather = wait / 1e6, most, gather / 1e6
        self.queue, self.active, self.batches, self.events = collections.deque(), False, 0, 0

    def push(self, item):
        self.queue.append(item)
        if not self.active:
            self._begin_soon()

    def _begin_soon(self):
        self.active = True
        self.sim.at(self.sim.now + self.gather, self._begin)

    def _begin(self):
        batch = [self.queue.popleft() for _ in range(min(len(self.queue), self.most))]
        self.batches, self.events = self.batches + 1, self.events + len(batch)
        work = ON_THE_WAY * self.fixed + self.event * len(batch)
        self.sim.run(work, lambda: self.sim.at(self.sim.now + self.wait, lambda: self._hand_on(batch)))

    def _hand_on(self, batch):
        self.then(batch)
        self.sim.run((1 - ON_THE_WAY) * self.fixed, self._end)

    def _end(self):
        self.active = False
        if self.queue:
            self._begin_soon()

    def cost(self):
        return self.fixed * self.batches + self.event * self.events


def into(stage):
    def push(batch):
        for item in batch:
            stage.push(item)
    return push


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def simulate_relay(rate, seconds, prices, cores=2):
    """Publisher, A, B and subscriber on one machine, an event each 1/rate: (mean frame, p50 in ms, server µs an event)."""
    sim, took = Simulation(cores), []
    last = Stage(sim, prices.message, 1, lambda batch: took.extend(sim.now - begun for begun in batch))
    deliver = Stage(sim, prices.message, DELIVER + TRANSPORT, into(last))
    commit_b = Stage(sim, prices.commit, RECORD + APPEND + IDENTITY, into(deliver), wait=SYNC)
    receive = Stage(sim, prices.message + prices.verify(), ADMIT_IMPORTED + DECIDE + LEAVES_B + TRANSPORT, into(commit_b))
    send = Stage(sim, prices.message + prices.sign, DECIDE + LEAVES_A + TRANSPORT, into(receive), most=MAX_FRAME)
    commit_a = Stage(sim, prices.commit, RECORD + APPEND + IDENTITY, into(send), wait=SYNC)
    admit = Stage(sim, prices.message, ADMIT_PUBLISHED + TRANSPORT, into(commit_a))
    first = Stage(sim, prices.message, 1, into(admit))
    for i in range(int(rate * seconds)):
        sim.at(i / rate, lambda i=i: first.push(i / rate))
    sim.go()
    servers = (admit, commit_a, send, receive, commit_b, deliver)
    return send.events / send.batches, quantile(took, 0.5) * 1e3, sum(s.cost() for s in servers) * 1e6 / len(took)


def simulate_steady(rate, seconds=4):
    """simulate_relay at the prices of as many messages as it comes to."""
    n, p50, cpu = 1.0, 0.0, 0.0
    for _ in range(4):
        n, p50, cpu = simulate_relay(rate, seconds, Prices(2 * rate / n, 2))
    return n, p50, cpu


def simulate_links(rate, k, links, gather_ms, cores=2, seconds=3, seed=7):
    """One gateway, Poisson arrivals, each event for k of its links: (commit, frame, µs a delivery, p50 in ms, processors busy)."""
    frame, result = 1.0, None
    for _ in range(3):
        prices, took = Prices(rate * (1 + k / frame), cores), []
        sim, draw = Simulation(cores), random.Random(seed)
        sends = [Stage(sim, prices.message + prices.sign, LEAVES_A + TRANSPORT, lambda batch: took.extend(sim.now - b for b in batch),
                       most=MAX_FRAME, gather=gather_ms * 1e3) for _ in range(links)]

        def spread(batch):
            for begun in batch:
                for link in draw.sample(range(links), k):
                    sends[link].push(begun)
        looking = (DECIDE_SHARED + INTEREST) * links
        commit = Stage(sim, prices.commit + WAKE * links, RECORD + APPEND + IDENTITY + looking, spread, wait=SYNC)
        admit = Stage(sim, prices.message, ADMIT_PUBLISHED + TRANSPORT, into(commit))
        time = 0.0
        while time < seconds:
            time += draw.expovariate(rate)
            sim.at(time, lambda time=time: admit.push(time))
        sim.go()
        frame = sum(s.events for s in sends) / sum(s.batches for s in sends)
        cost = sum(s.cost() for s in sends) * 1e6 / len(took)
        result = commit.events / commit.batches, frame, cost, quantile(took, 0.5) * 1e3, sim.busy / sim.now
    return result
