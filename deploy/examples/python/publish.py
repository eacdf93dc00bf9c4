#!/usr/bin/env python3
"""Publishes CDEvents, one JSON object per line, from files or standard input.

    publish.py --gateway localhost:7443 --identity DIR [FILE...]

Prints "sequence id" for each event that the gateway has on disk, "sequence id duplicate"
for one it had already, and the reason for each it refuses; exits with 1 if it refused
any. Where the connection breaks, everything unanswered is sent again: the gateway knows
an event by its source and id, so nothing comes out twice.
"""
import collections
import datetime
import fileinput
import json
import sys
import threading

import grpc

from cdgate_client import Gateway, arguments, message, pause, reason_of

BATCH = 64  # events in a message at most
WINDOW = 1024  # events read and not answered at most


def cloud_event(line):
    """The CloudEvent around a CDEvent, by the CDEvents CloudEvents binding. The data is
    the line itself: the gateway keeps its bytes as they are."""
    cdevent = json.loads(line)
    context, subject = cdevent["context"], cdevent["subject"]
    event = message("io.cloudevents.v1.CloudEvent")(
        id=context["id"], source=context["source"], spec_version="1.0", type=context["type"], binary_data=line)
    event.attributes["subject"].ce_string = subject["id"]
    event.attributes["time"].ce_timestamp.FromDatetime(timestamp(context["timestamp"]))
    event.attributes["datacontenttype"].ce_string = "application/json"
    return event


def timestamp(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(datetime.timezone.utc).replace(tzinfo=None)


class Publisher:
    """Keeps what is not answered yet, oldest first, and sends it over as many streams as
    it takes."""

    def __init__(self, gateway):
        self._gateway = gateway
        self._changed = threading.Condition()
        self._unanswered = collections.deque()
        self._sent = 0  # how many of them the current stream has
        self._stream = 0  # number of the current stream
        self._ended = False
        self.refused = 0

    def add(self, event):
        """Waits for room."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._unanswered) < WINDOW)
            self._unanswered.append(event)
            self._changed.notify_all()

    def end(self):
        """No more events come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def run(self):
        """Returns when the input has ended and everything is answered."""
        while True:
            error = self._run_stream()
            with self._changed:
                if self._ended and not self._unanswered:
                    return
            pause(error)

    def _run_stream(self):
        with self._changed:
            self._sent = 0
            self._stream += 1
            self._changed.notify_all()
        try:
            for response in self._gateway.publish_stream(self._requests(self._stream)):
                for result in response.results:
                    self._answer(result)
        except grpc.RpcError as error:
            return error
        return None

    def _requests(self, stream):
        """What `stream` sends: gRPC asks for one message after the other."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: stream != self._stream or self._sent < len(self._unanswered)
                                       or self._ended and not self._unanswered)
                if stream != self._stream or self._sent == len(self._unanswered):
                    return
                events = [self._unanswered[i] for i in range(self._sent, min(self._sent + BATCH, len(self._unanswered)))]
                self._sent += len(events)
            yield message("cdgate.events.v1.PublishStreamRequest")(events=events)

    def _answer(self, result):
        with self._changed:
            event = self._unanswered.popleft()
            self._sent -= 1
            self._changed.notify_all()
        if result.HasField("error"):
            self.refused += 1
            print(f"{event.id}: {reason_of(result.error)}: {result.error.message}", file=sys.stderr)
        else:
            print(result.sequence, event.id, *(["duplicate"] if result.duplicate else []))


def read_input(files, publisher):
    for line in fileinput.input(files, mode="rb"):
        if line.strip():
            publisher.add(cloud_event(line.strip()))
    publisher.end()


def main():
    parser = arguments("Publishes CDEvents, one JSON object per line.")
    parser.add_argument("files", nargs="*", metavar="FILE")
    args = parser.parse_args()
    gateway = Gateway(args.gateway, args.identity)
    publisher = Publisher(gateway)
    threading.Thread(target=read_input, args=(args.files, publisher), daemon=True).start()
    publisher.run()
    gateway.close()
    return 1 if publisher.refused else 0


if __name__ == "__main__":
    sys.exit(main())
