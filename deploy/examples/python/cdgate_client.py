"""What both examples need: the service from its .proto files, a connection over mutual
TLS, and the registered reason of an error.

The messages are made at run time from the descriptors that protoc prints. Generated
modules would not do: io/cloudevents/v1 would be the package `io`, which is Python's own.
"""
import argparse
import os
import subprocess
import sys
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_HERE = os.path.dirname(os.path.abspath(__file__))
_PROTO = os.environ.get("CDGATE_PROTO") or os.path.join(_HERE, "../../../proto")
_FILES = ("cdgate/events/v1/events.proto", "google/rpc/status.proto", "google/rpc/error_details.proto")
_RETRY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED,
          grpc.StatusCode.ABORTED)


def _load():
    image = subprocess.run(["protoc", "-I", _PROTO, "-I", "/usr/include", "--include_imports",
                            "--descriptor_set_out=/dev/stdout", *_FILES], check=True, stdout=subprocess.PIPE).stdout
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(image).file:
        pool.Add(file)
    return pool


_pool = _load()
_factory = message_factory.MessageFactory(_pool)


def message(name):
    """The class of a message by its full name."""
    descriptor = _pool.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4.22 and newer
        return message_factory.GetMessageClass(descriptor)
    return _factory.GetPrototype(descriptor)


def arguments(description):
    """A parser with --gateway and --identity."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--gateway", default=os.environ.get("CDGATE_GATEWAY"), required="CDGATE_GATEWAY" not in os.environ,
                        metavar="HOST:PORT", help="the gateway's api listener; or CDGATE_GATEWAY")
    parser.add_argument("--identity", default=os.environ.get("CDGATE_IDENTITY"), required="CDGATE_IDENTITY" not in os.environ,
                        metavar="DIR", help="tls.crt, tls.key and bundle.pem; or CDGATE_IDENTITY")
    return parser


class Gateway:
    """A client of the gateway's api listener. The gateway proves itself by its
    certificate, which names the host, and the client by its own."""

    def __init__(self, address, identity):
        def read(name):
            with open(os.path.join(identity, name), "rb") as file:
                return file.read()

        credentials = grpc.ssl_channel_credentials(read("bundle.pem"), read("tls.key"), read("tls.crt"))
        self._channel = grpc.secure_channel(address, credentials, [
            ("grpc.initial_reconnect_backoff_ms", 200), ("grpc.max_reconnect_backoff_ms", 5000)])

    def publish_stream(self, requests):
        return self._stream("PublishStream", requests)

    def subscribe(self, requests):
        return self._stream("Subscribe", requests)

    def close(self):
        self._channel.close()

    def _stream(self, method, requests):
        call = self._channel.stream_stream(
            f"/cdgate.events.v1.EventsService/{method}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message(f"cdgate.events.v1.{method}Response").FromString)
        return call(requests)


def reason_of(status):
    """The reason of a google.rpc.Status; None where the gateway did not say one."""
    for detail in status.details:
        info = message("google.rpc.ErrorInfo")()
        if detail.Unpack(info):
            return info.reason
    return None


def explain(error):
    """"REASON: message" of a failed call."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = message("google.rpc.Status").FromString(value)
            return f"{reason_of(status)}: {status.message}"
    return f"{error.code().name}: {error.details()}"


def pause(error):
    """After a stream ended with `error` (None: by itself): waits a moment where another
    try may help, else ends the program and says why."""
    why = explain(error) if error else "the stream ended"
    if error and error.code() not in _RETRY:
        sys.exit(why)
    print(f"{why}; trying again", file=sys.stderr)
    time.sleep(0.5)
