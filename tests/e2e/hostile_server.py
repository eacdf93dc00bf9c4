#!/usr/bin/env python3
"""A hostile server: what a peer that we dial can do to us, with a certificate we trust.

  hostile_server.py ATTACK --identity DIR [--listen 127.0.0.1:0] [--seconds 10]

Listens, on any port unless told; prints {"port": N} first. Waits for a client's stream, then
attacks every connection as hostile.py does from the other side. DIR holds tls.crt, tls.key
and bundle.pem. When its standard input ends it prints one JSON object and exits:
  attack, connections, sent (bytes), ended (connections that the client ended)
"""
import argparse
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile  # noqa: E402
from hostile import (CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PREFACE, PRIORITY,
                     SETTINGS, WINDOW_UPDATE, frame, hpack_int, hpack_new, hpack_text)

RESPONSE = (b"\x88" + hpack_int(31, 4) + hpack_text("application/grpc"))  # :status 200


class Peer(hostile.Connection):
    """The server's end of one connection; flow control and the reader are the client's."""

    def __init__(self, options, plain):
        self.options = options
        self.sent = self.frames = self.resets = 0
        self.windows = {0: 65535}
        self.initial_window = 65535
        self.closed = threading.Event()
        self.asked = threading.Event()
        self.grown = threading.Condition()
        self.sending = threading.Lock()
        self.acknowledge = True
        self.socket = hostile.Secured(plain, options.tls, server=True)
        self.preface = len(PREFACE)
        self.raw(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 30)))
        threading.Thread(target=self.listen, daemon=True).start()

    def received(self):
        data = self.socket.recv(65536)
        skipped = min(self.preface, len(data))
        self.preface -= skipped
        return data[skipped:] or (self.received() if data else b"")

    def take(self, kind, flags, stream, payload):
        super().take(kind, flags, stream, payload)
        if kind == HEADERS:
            self.asked.set()


def answer(peer):
    peer.raw(frame(HEADERS, END_HEADERS, 1, RESPONSE))


def giant_message(peer, end):
    answer(peer)
    if peer.spend(1, 5, 1) == 5:
        peer.raw(frame(DATA, 0, 1, b"\x00" + struct.pack(">I", 1 << 30)))
    while time.monotonic() < end and not peer.closed.is_set():
        allowed = peer.spend(1, 16384, 0.5)
        if allowed:
            peer.raw(frame(DATA, 0, 1, b"m" * allowed))


def compressed_message(peer, end):
    """Says that a message is compressed: a bomb, if the client unpacked it."""
    import gzip
    bomb = gzip.compress(b"\0" * (200 << 20), 9)
    peer.raw(frame(HEADERS, END_HEADERS, 1, RESPONSE + hpack_new("grpc-encoding", "gzip")))
    message = b"\x01" + struct.pack(">I", len(bomb)) + bomb
    while message and time.monotonic() < end and not peer.closed.is_set():
        allowed = peer.spend(1, min(len(message), 16384), 0.5)
        if allowed:
            peer.raw(frame(DATA, 0, 1, message[:allowed]))
            message = message[allowed:]
    peer.closed.wait(max(0, end - time.monotonic()))


def endless_headers(peer, end):
    peer.raw(frame(HEADERS, 0, 1, RESPONSE))
    filler = hpack_new("x-filler", "y" * 16000)
    hostile.burst(peer, end, lambda n: frame(CONTINUATION, 0, 1, filler))


def giant_header(peer, end):
    peer.raw(frame(HEADERS, 0, 1, RESPONSE + b"\x00" + hpack_text("x-giant") + hpack_int(
        1 << 30, 7)))
    hostile.burst(peer, end, lambda n: frame(CONTINUATION, 0, 1, b"z" * 1000) * 16)


def flood(make):
    def attack(peer, end):
        answer(peer)
        many = make * 1000
        hostile.burst(peer, end, lambda n: many)

    return attack


def mute(peer, end):
    """Takes the stream and never says anything."""
    peer.closed.wait(max(0, end - time.monotonic()))


ATTACKS = {
    "giant-message": giant_message,
    "compressed-message": compressed_message,
    "endless-headers": endless_headers,
    "giant-header": giant_header,
    "window-updates": flood(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))),
    "pings": flood(frame(PING, 0, 0, b"12345678")),
    "settings": flood(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100))),
    "priorities": flood(frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 16))),
    "unknown-frames": flood(frame(0xBB, 0, 0)),
    "mute": mute,
}


def serve(options, plain, peers):
    try:
        peer = Peer(options, plain)
    except (OSError, ssl.SSLError):
        return
    peers.append(peer)
    if not peer.asked.wait(10):
        return
    ATTACKS[options.attack](peer, time.monotonic() + options.seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attack", choices=sorted(ATTACKS))
    parser.add_argument("--identity", required=True)
    parser.add_argument("--listen", default="127.0.0.1:0", help="host:port")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    options.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    options.tls.load_cert_chain(os.path.join(options.identity, "tls.crt"),
                                os.path.join(options.identity, "tls.key"))
    options.tls.set_alpn_protocols(["h2"])
    listening = socket.create_server(hostile.address_of(options.listen))
    print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
    peers = []

    def accept():
        while True:
            plain, _ = listening.accept()
            threading.Thread(target=serve, args=(options, plain, peers), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    print(
        json.dumps({
            "attack": options.attack,
            "connections": len(peers),
            "sent": sum(peer.sent for peer in peers),
            "ended": sum(peer.closed.is_set() for peer in peers)
        }),
        flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
