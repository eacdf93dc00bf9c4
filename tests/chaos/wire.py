#!/usr/bin/env python3
"""A network of this process alone: N hosts, each in a network namespace of its own, and between any
two of them a wire that can delay, lose, repeat and reorder packets, or be down.

    wire.py --hosts N --seed S

Host n has the address 10.77.0.n on a TUN device, behind which this process stands and passes
packets on: the kernel of a small machine may lack netem and its like, and a wire between two hosts is
disturbed without the others. What is first printed are the namespaces, as JSON: files for
`nsenter --net=FILE`. Then each line of standard input is a command

    {"from": 1, "to": 2, "delay_ms": 50, "jitter_ms": 5, "loss": 0.01, "duplicate": 0, "reorder": 0, "down": false}

that sets one direction (what is not named is as at first), and is answered by "ok". It all ends with
standard input, and leaves nothing behind. Needs root.
"""
import argparse
import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 1500
# What a router would hold; beyond it packets are lost.
MOST_WAITING = 4000


def address(host):
    return f"10.77.0.{host}"


def new_host(host):
    """This thread goes into a new namespace; its file and the TUN device in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace; this needs root")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI))
    for command in (f"addr add {address(host)}/24 dev wire", f"link set wire mtu {MTU} up", "link set lo up"):
        subprocess.run(["ip", *command.split()], check=True)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY), tun


class Way:
    """One direction between two hosts."""

    FIELDS = ("delay_ms", "jitter_ms", "loss", "duplicate", "reorder", "down")

    def __init__(self):
        self.last_due = 0.0
        self.set({})

    def set(self, values):
        for field in self.FIELDS:
            setattr(self, field, values.get(field, 0))

    def due(self, now, source):
        """When copies of a packet that comes now arrive; none where it is lost."""
        if self.down or source.random() < self.loss:
            return []
        at = now + (self.delay_ms + self.jitter_ms * source.random()) / 1000
        if source.random() < self.reorder:
            at += 0.005 + 0.03 * source.random()  # others overtake it
        else:
            self.last_due = at = max(at, self.last_due)
        return [at, at] if source.random() < self.duplicate else [at]


class Wire:
    def __init__(self, hosts, seed):
        self.random = random.Random(seed)
        self.spaces, self.tuns = {}, {}
        for host in range(1, hosts + 1):
            self.spaces[host], self.tuns[host] = new_host(host)
        self.ways = {(a, b): Way() for a in self.tuns for b in self.tuns if a != b}
        self.waiting = []  # (due, number, host, packet)
        self.number = 0
        self.selector = selectors.DefaultSelector()
        for host, tun in self.tuns.items():
            self.selector.register(tun, selectors.EVENT_READ, host)
        os.set_blocking(sys.stdin.fileno(), False)
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        self.input = b""

    def run(self):
        print(json.dumps({host: f"/proc/{os.getpid()}/fd/{fd}" for host, fd in self.spaces.items()}), flush=True)
        while True:
            wait = None if not self.waiting else max(0.0, self.waiting[0][0] - time.monotonic())
            for key, _ in self.selector.select(wait):
                if key.data is not None:
                    self.take(key.data)
                elif not self.obey():
                    return
            self.deliver()

    def obey(self):
        """Commands of standard input; false at its end."""
        read = os.read(sys.stdin.fileno(), 1 << 16)
        *lines, self.input = (self.input + read).split(b"\n")
        for line in lines:
            command = json.loads(line)
            self.ways[command["from"], command["to"]].set(command)
            print("ok", flush=True)
        return bool(read)

    def take(self, host):
        """Packets that a host sent."""
        now = time.monotonic()
        for _ in range(64):
            try:
                packet = os.read(self.tuns[host], 1 << 16)
            except BlockingIOError:
                return
            target = packet[19] if len(packet) >= 20 and packet[0] >> 4 == 4 else 0
            way = self.ways.get((host, target))
            if way is None or len(self.waiting) > MOST_WAITING:
                continue
            for due in way.due(now, self.random):
                self.number += 1
                heapq.heappush(self.waiting, (due, self.number, target, packet))

    def deliver(self):
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, host, packet = heapq.heappop(self.waiting)
            try:
                os.write(self.tuns[host], packet)
            except OSError:
                pass  # a full queue loses it, as others do


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # Should whoever started it be killed, it ends, too.
    ctypes.CDLL(None).prctl(1, 9)
    Wire(options.hosts, options.seed).run()


if __name__ == "__main__":
    main()
