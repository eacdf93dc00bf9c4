"""The wires between gateways, as this side sees them: see wire.py."""
import json
import os
import subprocess
import sys

WIRE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wire.py")


class Network:
    def __init__(self, hosts, seed):
        self.process = subprocess.Popen([sys.executable, "-B", WIRE, "--hosts", str(hosts), "--seed", str(seed)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        if not first:
            raise AssertionError("there is no network: see above")
        self.spaces = {int(host): path for host, path in json.loads(first).items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def space(self, host):
        """A file for nsenter --net."""
        return self.spaces[host]

    def set(self, source, target, **values):
        """One direction; without values it is whole again."""
        self.process.stdin.write(json.dumps({"from": source, "to": target, **values}) + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "ok\n":
            raise AssertionError("the wire has ended")

    def set_both(self, a, b, **values):
        self.set(a, b, **values)
        self.set(b, a, **values)
