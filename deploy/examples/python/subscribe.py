#!/usr/bin/env python3
"""Prints the events that this identity may see, one JSON object per line:
{"sequence", "origin", "attempt", "event": the CDEvent as published}.

    subscribe.py --gateway localhost:7443 --identity DIR [--filter CESQL]
        [--from earliest|latest] [--max N] [--position FILE | --name NAME]

--position FILE keeps the place in the log in FILE: a later run goes on after the last
event that this one printed. --name NAME has the gateway keep it, as a durable
subscription, from ack to ack. Without either, a later run starts anew; a connection that
breaks is resumed in every case.
"""
import json
import os
import queue
import sys

import grpc

from cdgate_client import Gateway, arguments, message, pause


class Subscriber:
    """Prints events and remembers how far it has got."""

    def __init__(self, args):
        self._args = args
        self._remaining = args.max or sys.maxsize
        self._position = self._load()  # LogPosition of the last event handled, or None

    def run(self, gateway):
        while self._remaining:
            error = self._run_stream(gateway)
            if self._remaining:
                pause(error)

    def _run_stream(self, gateway):
        """One Subscribe call. Returns the error that ended it, or None."""
        requests = queue.SimpleQueue()  # what the call has yet to send; None: nothing more
        requests.put(message("cdgate.events.v1.SubscribeRequest")(start=self._start()))
        responses = gateway.subscribe(iter(requests.get, None))
        try:
            for response in responses:
                kind = response.WhichOneof("response")
                if kind == "started":
                    self._advance(response.started.position)
                elif kind == "events":
                    self._handle(response.events.events, requests)
                elif kind == "heartbeat" and self._remaining:
                    # Everything up to here was delivered or did not match.
                    self._advance(response.heartbeat.position)
                elif kind == "ack_confirmed":
                    responses.cancel()
                    return None
        except grpc.RpcError as error:
            return error
        finally:
            requests.put(None)
        return None

    def _start(self):
        start = message("cdgate.events.v1.SubscribeStart")(subscription=self._args.name, filter=self._args.filter)
        if self._position:
            getattr(start, "from").after.CopyFrom(self._position)
        else:
            setattr(getattr(start, "from"), self._args.start, True)
        return start

    def _handle(self, events, requests):
        wanted = events[:self._remaining]
        if not wanted:
            return
        for event in wanted:
            print_event(event)
        self._remaining -= len(wanted)
        # Only what has been handled may be remembered or acknowledged.
        self._position.sequence = wanted[-1].sequence
        self._advance(self._position)
        request = message("cdgate.events.v1.SubscribeRequest")()
        request.ack.sequence = wanted[-1].sequence
        request.ack.confirm = not self._remaining
        requests.put(request)

    def _advance(self, position):
        self._position = position
        if self._args.position:
            with open(self._args.position + ".new", "w") as file:
                json.dump({"epoch": position.epoch, "sequence": position.sequence}, file)
            os.replace(self._args.position + ".new", self._args.position)

    def _load(self):
        if not self._args.position or not os.path.exists(self._args.position):
            return None
        with open(self._args.position) as file:
            return message("cdgate.events.v1.LogPosition")(**json.load(file))


def print_event(delivered):
    event = delivered.event
    data = event.binary_data if event.WhichOneof("data") == "binary_data" else event.text_data
    print(json.dumps({"sequence": delivered.sequence, "origin": delivered.origin, "attempt": delivered.attempt,
                      "event": json.loads(data)}), flush=True)


def main():
    parser = arguments("Prints the events that this identity may see, one JSON object per line.")
    parser.add_argument("--filter", default="", metavar="CESQL")
    parser.add_argument("--from", dest="start", choices=["earliest", "latest"], default="latest")
    parser.add_argument("--max", type=int, default=0, metavar="N", help="end after N events")
    parser.add_argument("--position", metavar="FILE", help="keep the place in the log in FILE")
    parser.add_argument("--name", default="", metavar="NAME", help="durable subscription")
    args = parser.parse_args()
    gateway = Gateway(args.gateway, args.identity)
    Subscriber(args).run(gateway)
    gateway.close()


if __name__ == "__main__":
    main()
