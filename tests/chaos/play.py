"""One run of the chaos harness: gateways are set up, disturbed as their schedule says, left alone, and
looked at.

    with play.Play(plan, directory) as run:
        observations = run.observe()
"""
import collections
import os
import re
import signal
import subprocess
import threading
import time

import checker
import gateways
import harness
import network
import policy_harness
import schedule

CLIENT = os.environ.get("CDGATE_CHAOS_CLIENT", "")
# What no gateway writes that is well.
CRASH = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|Check failed|terminate called|"
                   r"\"reason\": ?\"INTERNAL\"|stack trace|core dumped|signs for something else")
# Borders that events may still pass: more than there are gateways.
ONWARD = 8


def say(text):
    print(text, flush=True)


class Client:
    """A program that is killed and goes on from its journal."""

    def __init__(self, argv, log):
        self.argv, self.log = argv, log
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def gave_up(self):
        """What it said, where it ended by itself and not well."""
        code = self.process.poll() if self.process else None
        if code in (None, 0, -signal.SIGKILL):
            return ""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return f"{' '.join(self.argv[-6:])} gave up with status {code}: {file.read().strip()[-300:]}"

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()


class Play:
    def __init__(self, plan, directory):
        self.plan, self.dir = plan, directory
        self.net = None
        self.gateways, self.clients = {}, {}
        self.troubles = []
        self.gates = {way: {} for way in plan.ways()}
        self.marks = {way: [] for way in plan.ways()}
        self.disturbed = collections.defaultdict(dict)  # pair: {fault: ways}
        self.threads = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients.values():
            client.kill()
        for gateway in self.gateways.values():
            gateway.clean_up()
        if self.net:
            self.net.__exit__()

    def observe(self):
        self.set_up()
        self.start_clients()
        self.disturb()
        self.leave_alone()
        seen = self.look()
        self.end()
        seen.troubles = self.troubles
        return seen

    # --- setting up

    def set_up(self):
        began = time.monotonic()
        self.net = network.Network(self.plan.gateways, self.plan.seed)
        for number in range(1, self.plan.gateways + 1):
            self.gateways[number] = gateways.Gateway(number, self.dir, self.net.space(number), self.plan)
        self.at_once([gateway.set_up for gateway in self.gateways.values()])
        for a, b in self.plan.pairs:
            self.gateways[b].peer_with(self.gateways[a])
        self.trust_strangers()
        for way in self.plan.ways():
            self.apply_first(way)
        for a, b in self.plan.ways():
            harness.wait_until(lambda a=a, b=b: self.link_is_up(a, b), f"the link of {a} and {b} is up")
        say(f"  set up after {time.monotonic() - began:.1f} s")

    @staticmethod
    def at_once(jobs):
        failed = []

        def guarded(job):
            try:
                job()
            except BaseException as error:  # told by whoever waits
                failed.append(error)
        threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def name(self, number):
        return self.gateways[number].name

    def peer(self, exporter, importer):
        shown = self.gateways[exporter].cdgate("peer", "show", self.name(importer), "-o", "json")
        return shown.json() if shown.code == 0 else {}

    def link_is_up(self, a, b):
        return self.peer(a, b).get("link", {}).get("state", "").endswith("UP")

    def policy_text(self, number, peer, gate):
        """One policy has both directions with a peer."""
        imports = self.plan.imports[peer, number]
        subjects = ", ".join(f"'{subject}'" for subject in sorted(imports.subjects))
        text = gate.yaml(self.name(peer), **({"terms": {"onward": ONWARD}} if self.plan.transit else {}))
        policy = policy_harness.json.loads(text)
        policy["import"] = {"rules": [policy_harness.import_rule("wanted", f"SUBJECT_TYPE() IN ({subjects})")]}
        if self.plan.transit:
            policy["export"]["transit"] = [self.name(n) for n in self.gateways if n not in (number, peer)]
            policy["import"]["transit"] = policy["export"]["transit"]
        return policy_harness.json.dumps(policy) + "\n"

    def apply(self, way, gate):
        """Puts a gate in force; its version, or none where the gateway cannot be asked now."""
        exporter, importer = way
        result = self.gateways[exporter].cdgate("policy", "apply", "-", "--unplanned", "-o", "json",
                                                input=self.policy_text(exporter, importer, gate))
        if result.code == 3:
            return None
        if result.code != 0:
            raise AssertionError(str(result))
        version = int(result.json()["version"]["version"])
        self.gates[way][version] = gate
        return version

    def apply_first(self, way):
        self.apply(way, self.plan.exports[way])

    def trust_strangers(self):
        """Events in transit are verified by the bundles of their origins, peers or not."""
        ways = set(self.plan.ways())
        strangers = [(a, b) for a in self.gateways for b in self.gateways if a != b and (a, b) not in ways]
        for a, b in strangers if self.plan.transit else []:
            bundle = os.path.join(self.gateways[b].ca(), "ca.crt")
            result = self.gateways[a].cdgate("trust", "set", self.name(b), "--bundle", bundle, "--yes")
            if result.code != 0:
                raise AssertionError(str(result))

    def start_clients(self):
        for number, gateway in self.gateways.items():
            def argv(command, name, identity, *options, gateway=gateway):
                return [*gateway.before, CLIENT, command, "--gateway", gateway.api, "--identity", gateway.identity(identity),
                        "--journal", self.journal(gateway.number, name), *map(str, options)]
            self.clients[number, "publisher"] = Client(
                argv("publish", "publisher", "publisher", "--seed", self.plan.event_seed(number), "--count", self.plan.events(number),
                     "--rate", self.plan.rates[number - 1]), os.path.join(gateway.dir, "publisher.log"))
            for name, options in (("named", ["--name", "chaos"]), ("resuming", [])):
                self.clients[number, name] = Client(argv("follow", name, "subscriber", *options),
                                                    os.path.join(gateway.dir, f"{name}.log"))
        for client in self.clients.values():
            client.start()

    def journal(self, number, name):
        return os.path.join(self.gateways[number].dir, f"{name}.journal")

    # --- disturbing

    def disturb(self):
        """Faults begin and end at their times, one after the other."""
        began = time.monotonic()
        todo = [(fault.at, self.begin, fault) for fault in self.plan.faults]
        todo += [(fault.at + fault.lasts, self.finish, fault) for fault in self.plan.faults]
        # What ends at once ends behind its beginning: the order of the two lists.
        for at, action, fault in sorted(todo, key=lambda entry: entry[0]):
            time.sleep(max(0.0, began + at - time.monotonic()))
            if action == self.begin:
                say(f"  {time.monotonic() - began:6.2f} s of {fault.text()}")
            action(fault)
        time.sleep(max(0.0, began + self.plan.seconds - time.monotonic()))

    def begin(self, fault):
        kind, target = fault.kind, fault.target
        if schedule.FAULTS[kind][0] == "pair":
            self.disturbed[tuple(target)][kind] = fault.values
            return self.set_pair(target)
        if kind == "kill_client":
            return self.clients[target[0], target[1]].kill()
        gateway = self.gateways[target[0]]
        if kind == "policy":
            thread = threading.Thread(target=self.change_policy, args=(tuple(target), schedule.gate_of(fault.values["gate"])))
            self.threads.append(thread)
            return thread.start()
        {"kill": gateway.kill_process, "stop": gateway.stop, "disk_low": lambda: gateway.fill_disk(gateways.LOW_BYTES),
         "disk_full": lambda: gateway.fill_disk(0), "clock": lambda: gateway.set_clock(fault.values["seconds"]),
         "rotate": lambda: gateway.rotate(fault.values["what"])}[kind]()

    def finish(self, fault):
        kind, target = fault.kind, fault.target
        if schedule.FAULTS[kind][0] == "pair":
            self.disturbed[tuple(target)].pop(kind, None)
            return self.set_pair(target)
        if kind == "kill_client":
            return self.restart_client(self.clients[target[0], target[1]])
        gateway = self.gateways[target[0]]
        if kind == "stop":
            gateway.go_on()
        elif kind in ("disk_low", "disk_full"):
            gateway.free_disk()
            gateway.revive()
        elif kind == "kill":
            gateway.revive()

    def restart_client(self, client):
        client.kill()
        client.start()

    def set_pair(self, pair):
        """All faults of a pair together."""
        values, down = {}, "none"
        for kind, fault in self.disturbed[tuple(pair)].items():
            if kind == "partition":
                down = fault["ways"]
            else:
                values.update(fault)
        a, b = pair
        self.net.set(a, b, **values, down=down in ("both", "there"))
        self.net.set(b, a, **values, down=down in ("both", "back"))

    def change_policy(self, way, gate):
        """What is published after it was applied is decided by it or a later one."""
        try:
            version = harness.wait_until(lambda: self.apply(way, gate), f"a policy of {way} is applied")
            head = harness.wait_until(lambda: self.head(way[0]), f"{way[0]} tells its head")
            self.marks[way].append((head, version))
        except AssertionError as error:
            self.troubles.append(str(error))

    def head(self, number):
        """Of its log; none where the gateway cannot be asked now."""
        status = self.gateways[number].cdgate("status", "-o", "json")
        return int(status.json().get("head_sequence", 0)) if status.code == 0 else None

    # --- leaving alone

    def leave_alone(self):
        """No more faults, and everything comes to rest."""
        for pair in self.plan.pairs:
            self.disturbed[tuple(pair)].clear()
            self.set_pair(pair)
        for gateway in self.gateways.values():
            gateway.free_disk() if gateway.small_disk else None
            gateway.go_on()
            gateway.revive()
        for thread in self.threads:
            thread.join()
        began = time.monotonic()
        for number in self.gateways:
            self.rest(lambda number=number: self.clients[number, "publisher"].process.poll() is not None or
                      self.clients[number, "publisher"].gave_up(), f"the publisher of {number} is done")
        self.rest(self.all_settled, "every event is accounted for, whichever way it goes")
        for number in self.gateways:
            for name in ("named", "resuming"):
                self.rest(lambda number=number, name=name: self.has_all(number, name), f"{name} of {number} has everything")
        say(f"  at rest after {time.monotonic() - began:.1f} s")

    def rest(self, condition, what):
        """What does not come to rest is looked at all the same: it tells more."""
        try:
            harness.wait_until(lambda: condition() or self.somebody_ended(), what, timeout=1.5 * harness.PATIENCE_S)
        except AssertionError as error:
            self.troubles.append(str(error))

    def somebody_ended(self):
        """A gateway that is not there any more is a finding; without it nothing comes to rest."""
        return any(gateway.process.poll() is not None for gateway in self.gateways.values())

    def all_settled(self):
        """What one way brings goes on over others: until nothing is new."""
        heads = [self.head(number) for number in self.gateways]
        return all(self.settled(way) for way in self.plan.ways()) and heads == [self.head(number) for number in self.gateways]

    def settled(self, way):
        """The ledger accounts for every event of the exporter."""
        status, head = self.peer(*way), self.head(way[0])
        if not status or head is None:
            return False
        counted = sum(int(row["count"]) for row in status.get("exported", []))
        left = int(status.get("replay_left", 0)) + int(status.get("export_lag_events", 0))
        return left == 0 and counted >= head

    def has_all(self, number, name):
        client, head = self.clients[number, name], self.head(number)
        if client.gave_up() or head == 0:
            return True
        with open(self.journal(number, name), encoding="utf-8") as file:
            last = [int(line.split()[1]) for line in file if line.startswith("E ")][-1:]
        return bool(last) and head is not None and last[0] >= head

    # --- looking

    def look(self):
        plan = self.plan
        for gateway in self.gateways.values():
            gateway.revive()
        self.troubles += [text for client in self.clients.values() if (text := client.gave_up())]
        for (_, name), client in self.clients.items():
            if name != "publisher":
                client.kill()
        numbers = list(self.gateways)
        shown = {way: self.peer(*way) for way in plan.ways()}
        return checker.Observations(
            names={n: self.name(n) for n in numbers}, pairs=set(plan.ways()), seeds={n: plan.event_seed(n) for n in numbers},
            events={n: plan.events(n) for n in numbers},
            published={n: checker.read_published(self.journal(n, "publisher")) for n in numbers},
            logs={n: self.read_log(n) for n in numbers},
            journals={(n, name): checker.read_journal(self.journal(n, name)) for n in numbers for name in ("named", "resuming")},
            verdicts={way: self.read_verdicts(way) for way in plan.ways()}, gates=self.gates, marks=self.marks,
            imports=plan.imports, exported={(a, b): outcomes(shown[a, b], "exported") for a, b in plan.ways()},
            imported={(a, b): outcomes(shown[b, a], "imported") for a, b in plan.ways()}, troubles=self.troubles,
            transit=plan.transit)

    def read_log(self, number):
        gateway, path = self.gateways[number], self.journal(number, "log")
        result = harness.run([*gateway.before, CLIENT, "read", "--gateway", gateway.api, "--identity",
                              gateway.identity("subscriber"), "--journal", path])
        if result.code != 0:
            raise AssertionError(str(result))
        return checker.read_log(path)

    def read_verdicts(self, way):
        gateway = self.gateways[way[0]]
        path = os.path.join(gateway.dir, f"verdicts-{self.name(way[1])}")
        result = policy_harness.run_client(gateway, policy_harness.POLICIES, "verdicts", "--peer", self.name(way[1]), "--first", 1,
                                           "--last", self.head(way[0]), "--out", path, identity="admin")
        if result.code != 0:
            raise AssertionError(str(result))
        return checker.read_verdicts(path)

    def end(self):
        """Gateways end in order, and their logs tell of no crash."""
        self.at_once([gateway.end_in_order for gateway in self.gateways.values()])
        for gateway in self.gateways.values():
            self.troubles += gateway.troubles
            found = [line for line in gateway.log().splitlines() if CRASH.search(line)]
            self.troubles += [f"{gateway.name} wrote: {line[:300]}" for line in found[:3]]

    def keep(self):
        """What is needed for a look is kept in the folder."""
        for gateway in self.gateways.values():
            gateway.keep_data()


def outcomes(shown, direction):
    return collections.Counter({(row.get("state", ""), row.get("reason", "")): int(row["count"])
                                for row in shown.get(direction, []) if int(row.get("count", 0))})
