#!/usr/bin/env python3
"""How many bytes a server lets a client have under way: waits until both the window of the connection
and that of a stream are at least --bytes, for at most --seconds, and says what they were.

    python3 tests/e2e/offered_window.py --target 127.0.0.1:7400 --identity DIR --bytes 4000000
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hostile import Connection, address_of, client_tls  # noqa: E402  pylint: disable=wrong-import-position


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, help="host:port")
    parser.add_argument("--identity", required=True, help="folder with tls.crt, tls.key and bundle.pem")
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    options.address, options.source, options.plain = address_of(options.target), None, False
    options.tls = client_tls(options.identity)
    connection = Connection(options)
    end = time.monotonic() + options.seconds
    with connection.grown:
        while (min(connection.windows[0], connection.initial_window) < options.bytes
               and time.monotonic() < end and not connection.closed.is_set()):
            connection.grown.wait(0.05)
    print(f"connection {connection.windows[0]}, stream {connection.initial_window}")
    return 0 if min(connection.windows[0], connection.initial_window) >= options.bytes else 1


if __name__ == "__main__":
    sys.exit(main())
