#!/usr/bin/env python3
"""What is wrong is refused with its registered reason, and nothing else suffers."""
import base64
import json
import socket

import harness
from harness import cdevent

TYPE = "dev.cdevents.service.deployed.0.2.0"
SOURCE = "/event/source/e2e"


def envelope(data, event_id="bad", source=SOURCE, kind=TYPE, **members):
    """A CloudEvent in protobuf's JSON around `data` (bytes, text or a CDEvent)."""
    if isinstance(data, dict):
        data = json.dumps(data, ensure_ascii=False)
    if isinstance(data, str):
        data = data.encode()
    event = {"id": event_id, "source": source, "specVersion": "1.0", "type": kind,
             "binaryData": base64.b64encode(data).decode()}
    event.update(members)
    return {name: value for name, value in event.items() if value is not None}


def text(event_id="bad", **custom):
    return json.dumps(cdevent(event_id, source=SOURCE, **custom))


def without(event, *path):
    """The CDEvent without the member at `path`."""
    *parents, last = path
    at = event
    for name in parents:
        at = at[name]
    del at[last]
    return event


# name, CloudEvent, reason
REFUSED = [
    ("no JSON", envelope("nonsense"), "INVALID_JSON"),
    ("no data", envelope(b""), "INVALID_JSON"),
    ("cut off", envelope(text()[:-1]), "INVALID_JSON"),
    ("two values", envelope(text() + "{}"), "INVALID_JSON"),
    ("a comment", envelope("/* */" + text()), "INVALID_JSON"),
    ("no object", envelope("[1, 2]"), "INVALID_EVENT"),
    ("an empty object", envelope("{}"), "INVALID_EVENT"),
    ("a duplicate member", envelope(text().replace('{"context"', '{"context": {}, "context"', 1)), "AMBIGUOUS_JSON"),
    ("a duplicate member deep inside", envelope(text(a={"b": 1}).replace('"b": 1', '"b": 1, "b": 2')), "AMBIGUOUS_JSON"),
    ("a duplicate member by escapes", envelope(text(a=1).replace('"a": 1', '"a": 1, "\\u0061": 2')), "AMBIGUOUS_JSON"),
    ("invalid UTF-8", envelope(text(a="X").encode().replace(b"X", b"\xc3\x28")), "AMBIGUOUS_JSON"),
    ("overlong UTF-8", envelope(text(a="X").encode().replace(b"X", b"\xc0\xaf")), "AMBIGUOUS_JSON"),
    ("a lone surrogate", envelope(text(a="X").replace('"X"', '"\\ud800"')), "AMBIGUOUS_JSON"),
    ("a byte order mark", envelope(b"\xef\xbb\xbf" + text().encode()), "AMBIGUOUS_JSON"),
    ("65 levels", envelope(text(a="X").replace('"X"', "[" * 63 + "]" * 63)), "AMBIGUOUS_JSON"),
    ("100,000 levels", envelope(text(a="X").replace('"X"', "[" * 100000 + "]" * 100000)), "AMBIGUOUS_JSON"),
    ("no context", envelope(without(cdevent("bad"), "context")), "INVALID_EVENT"),
    ("no subject", envelope(without(cdevent("bad"), "subject")), "INVALID_EVENT"),
    ("no id", envelope(without(cdevent("bad"), "context", "id")), "INVALID_EVENT"),
    ("no content", envelope(without(cdevent("bad"), "subject", "content")), "INVALID_EVENT"),
    ("an id that is a number", envelope(text().replace('"id": "bad"', '"id": 1')), "INVALID_EVENT"),
    ("a type that is none", envelope(text().replace(TYPE, "nonsense"), kind="nonsense"), "UNKNOWN_TYPE"),
    ("another source outside", envelope(text(), source="/event/source/other"), "ENVELOPE_MISMATCH"),
    ("another type outside", envelope(text(), kind="dev.cdevents.change.merged.0.2.0"), "ENVELOPE_MISMATCH"),
    ("CloudEvents 0.3", envelope(text(), specVersion="0.3"), "INVALID_CLOUD_EVENT"),
    ("no CloudEvents version", envelope(text(), specVersion=None), "INVALID_CLOUD_EVENT"),
    ("no outer id", envelope(text(), event_id=None), "INVALID_CLOUD_EVENT"),
    ("an attribute with a bad name", envelope(text(), attributes={"Bad-Name": {"ceString": "x"}}), "INVALID_CLOUD_EVENT"),
    ("a forged sequence", envelope(text(), attributes={"cdgatesequence": {"ceString": "1"}}), "RESERVED_ATTRIBUTE"),
    ("a forged origin", envelope(text(), attributes={"cdgateorigin": {"ceString": "beta.example"}}), "RESERVED_ATTRIBUTE"),
    ("forged hops", envelope(text(), attributes={"cdgatehops": {"ceInteger": 0}}), "RESERVED_ATTRIBUTE"),
    ("protobuf data", envelope(text(), binaryData=None, protoData={"@type": "type.googleapis.com/google.protobuf.Empty"}),
     "UNSUPPORTED_DATA"),
    ("a source not granted", envelope(json.dumps(cdevent("bad", source="/elsewhere")), source="/elsewhere"),
     "SOURCE_NOT_GRANTED"),
]


class BadInputTest(harness.DomainsTest):
    def send(self, *events, domain=None, identity="publisher"):
        """The outcome of each CloudEvent, one Publish call each."""
        domain = domain or self.domains.alpha
        result = harness.run(domain.client("send", identity=identity),
                             input="".join(json.dumps(event) + "\n" for event in events))
        outcomes = result.json_lines()
        self.assertEqual(len(outcomes), len(events), str(result))
        return outcomes

    def send_one(self, event, **kwargs):
        return self.send(event, **kwargs)[0]

    def head(self):
        """Sequence of a fresh event: what was refused in between left no trace."""
        self.fresh = getattr(self, "fresh", 0) + 1
        event_id = f"{self.id()}-{self.fresh}"
        return self.send_one(envelope(cdevent(event_id), event_id))["sequence"]

    def test_each_fault_has_its_reason(self):
        before = self.head()
        outcomes = self.send(*(event for _, event, _ in REFUSED))
        for (name, _, reason), outcome in zip(REFUSED, outcomes):
            with self.subTest(name):
                self.assertEqual(outcome["reason"], reason, outcome["message"])
                self.assertNotEqual(outcome["message"], "")
        self.assertEqual(self.head(), before + 1, "something refused is in the log")

    def test_an_event_over_the_limit_is_too_large(self):
        huge = cdevent("huge", padding="x" * 1_000_000)
        self.assertEqual(self.send_one(envelope(huge, "huge"))["reason"], "TOO_LARGE")
        self.assertGreater(self.head(), 0)

    def test_a_message_over_the_limit_is_refused(self):
        huge = cdevent("huger", padding="x" * 5_000_000)
        outcome = self.send_one(envelope(huge, "huger"))
        self.assertEqual((outcome["code"], outcome["sequence"]), (8, 0), outcome)  # RESOURCE_EXHAUSTED
        self.assertGreater(self.head(), 0)

    def test_the_same_event_again_is_a_duplicate(self):
        event = cdevent("again", a=1, b=[1.0, "ü"])
        reordered = dict(reversed(list(event.items())))
        variants = [
            envelope(event, "again"),
            envelope(event, "another-outer-id"),
            envelope(event, "again", attributes={"time": {"ceTimestamp": "2031-01-01T00:00:00Z"}}),
            envelope(json.dumps(reordered, indent=2), "again"),
            envelope(json.dumps(event).replace("\\u00fc", "ü"), "again"),
            envelope(event, "again", binaryData=None, textData=json.dumps(event)),
        ]
        outcomes = self.send(*variants)
        self.assertEqual([outcome["code"] for outcome in outcomes], [0] * len(variants), outcomes)
        self.assertEqual([outcome["duplicate"] for outcome in outcomes], [False] + [True] * (len(variants) - 1))
        self.assertEqual({outcome["sequence"] for outcome in outcomes}, {outcomes[0]["sequence"]})

    def test_the_same_id_with_other_content_is_a_conflict(self):
        first, second = self.send(envelope(cdevent("conflict", a=1), "conflict"), envelope(cdevent("conflict", a=2), "conflict"))
        self.assertEqual(first["code"], 0, first)
        self.assertEqual(second["reason"], "IDENTITY_CONFLICT")
        again = self.send_one(envelope(cdevent("conflict", a=1), "conflict"))
        self.assertEqual((again["duplicate"], again["sequence"]), (True, first["sequence"]))

    def test_who_has_no_grant_publishes_nothing(self):
        outcome = self.send_one(envelope(cdevent("subscriber"), "subscriber"), identity="subscriber")
        self.assertEqual(outcome["reason"], "NOT_GRANTED")


class CommandLineTest(harness.DomainsTest):
    def refused(self, reason, *arguments, code=1, **kwargs):
        """Runs cdgate, which must say no for this reason."""
        result = self.assert_run(self.domains.alpha.cdgate(*arguments, **kwargs), code)
        self.assertIn(reason.lower(), (result.err + result.out).lower(), str(result))
        return result

    def test_publish_names_what_is_wrong(self):
        faults = [("INVALID_JSON", 1, "nonsense"),
                  ("INVALID_EVENT", 1, "{}"),
                  ("AMBIGUOUS_JSON", 1, text().replace('{"context"', '{"context": {}, "context"', 1)),
                  ("SOURCE_NOT_GRANTED", 4, json.dumps(cdevent("x", source="/elsewhere")))]
        for reason, code, line in faults:
            with self.subTest(reason):
                self.refused(reason, "publish", "-", code=code, identity="publisher", input=line + "\n")

    def test_one_faulty_line_does_not_stop_the_others(self):
        lines = [json.dumps(cdevent("line-1")), "nonsense", json.dumps(cdevent("line-3"))]
        self.refused("INVALID_JSON", "publish", "-", identity="publisher", input="\n".join(lines) + "\n")
        ids = [line["event"]["context"]["id"] for line in self.subscribe(self.domains.alpha, 2, "line-%")]
        self.assertEqual(ids, ["line-1", "line-3"])

    def test_a_subscriber_with_a_broken_filter_learns_where(self):
        self.refused("INVALID_FILTER", "subscribe", "--filter", "type LIKE", "--max", "1", code=1, identity="subscriber")

    def test_who_has_no_grant_is_told_so(self):
        self.refused("NOT_GRANTED", "peer", "list", code=4, identity="publisher")

    def test_an_unreachable_gateway_is_exit_status_3(self):
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        result = harness.run([harness.BINARY, "status", "--gateway", f"localhost:{port}", "--identity",
                              self.domains.alpha.identity("admin")])
        self.assertEqual(result.code, 3, str(result))

    def serve(self, config):
        """A gateway with this configuration that must not start."""
        path = self.path("faulty.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        result = harness.run([harness.BINARY, "serve", "--config", path])
        self.assertNotEqual(result.code, 0, str(result))
        return result.out + result.err

    def faulty(self, *changes):
        """alpha's configuration on a directory and ports of its own, then changed."""
        config = self.domains.alpha.config()
        data_dir = next(line for line in config.splitlines() if line.startswith("data_dir:"))
        config = config.replace(data_dir, f"data_dir: {self.path('faulty')}")
        for old, new in changes:
            self.assertIn(old, config)
            config = config.replace(old, new)
        return config

    def test_a_misspelt_key_is_named_with_its_line(self):
        config = self.faulty(("listeners:", "listenrs:"))
        line = 1 + config[:config.index("listenrs:")].count("\n")
        said = self.serve(config)
        for part in ("faulty.yaml", str(line), "listenrs"):
            self.assertIn(part, said)

    def test_a_wrong_type_is_named(self):
        self.assertIn("drain_timeout", self.serve(self.faulty() + "\ndrain_timeout: soon\n"))

    def test_a_port_in_use_is_named(self):
        said = self.serve(self.faulty())
        self.assertIn("address_in_use", said.lower())

    def test_a_data_directory_in_use_is_named(self):
        config = self.domains.alpha.config()
        for listener in ("peers", "api", "enrolment", "ops"):
            config = config.replace(self.domains.alpha.address(listener), "127.0.0.1:0")
        self.assertIn("log_locked", self.serve(config).lower())


if __name__ == "__main__":
    harness.main()
