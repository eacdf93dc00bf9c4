#!/usr/bin/env python3
"""The clients of deploy/examples publish in alpha and subscribe in beta, and go on where
they stopped."""
import json
import os
import subprocess
import unittest

import harness
from harness import cdevent

EXAMPLES = os.path.join(harness.ROOT, "deploy", "examples")
PYTHON = "/usr/bin/python3"  # the one that Debian's packages are for


class Examples:
    """What holds for a client in any language."""

    def publish_argv(self):
        raise NotImplementedError

    def subscribe_argv(self):
        raise NotImplementedError

    def event_id(self, number):
        return f"{type(self).__name__}-{number}"

    def lines(self, first, last):
        """CDEvents first to last - 1: every third is of a type that does not cross."""
        kinds = ["service.deployed.0.2.0", "change.merged.0.2.0", "pipelinerun.finished.0.2.0"]
        events = []
        for number in range(first, last):
            event = cdevent(self.event_id(number), kinds[number % 3], number=number, text="Grüße 🚀")
            if number % 3 == 1:
                event["subject"]["content"] = {}
            events.append(json.dumps(event, ensure_ascii=False) + "\n")
        return "".join(events)

    def crossing(self, first, last):
        return [self.event_id(number) for number in range(first, last) if number % 3 != 2]

    def publish(self, text, *arguments, identity="publisher"):
        return harness.run([*self.publish_argv(), *self.target(self.domains.alpha, identity), *arguments], input=text)

    def target(self, domain, identity):
        return ["--gateway", domain.api, "--identity", domain.identity(identity)]

    def receive(self, count, pattern, *arguments):
        """The next `count` events in beta whose ids are like the pattern."""
        result = harness.run([*self.subscribe_argv(), *self.target(self.domains.beta, "subscriber"), "--max", str(count),
                              "--filter", f"id LIKE '{pattern}'", *arguments])
        events = self.assert_run(result).json_lines()
        self.assertEqual({event["origin"] for event in events}, {"alpha.example"})
        return [event["event"] for event in events]

    def test_publish_says_what_is_on_disk(self):
        lines = self.assert_run(self.publish(self.lines(0, 3))).out.splitlines()
        self.assertEqual([line.split()[1] for line in lines], [self.event_id(n) for n in range(3)])
        again = self.assert_run(self.publish(self.lines(0, 3))).out.splitlines()
        self.assertEqual([line.split()[0] for line in again], [line.split()[0] for line in lines])
        self.assertTrue(all(line.endswith("duplicate") for line in again), again)

    def test_publish_names_the_reason_of_a_refusal(self):
        lines = self.lines(100, 101) + json.dumps(cdevent("elsewhere", source="/elsewhere")) + "\n" + self.lines(101, 102)
        result = self.assert_run(self.publish(lines), 1)
        self.assertIn("elsewhere: SOURCE_NOT_GRANTED", result.err)
        self.assertEqual(len(result.out.splitlines()), 2, str(result))

    def test_who_may_not_publish_is_told_so(self):
        result = self.assert_run(self.publish(self.lines(200, 201), identity="subscriber"), 1)
        self.assertIn("NOT_GRANTED", result.err)

    def test_subscribe_resumes_from_its_own_position(self):
        with open(self.path("events.ndjson"), "w", encoding="utf-8") as file:
            file.write(self.lines(1000, 1300))
        self.assert_run(self.publish(None, self.path("events.ndjson")))
        expected, pattern = self.crossing(1000, 1300), self.event_id("1___")
        position = ["--position", self.path(f"{type(self).__name__}.position")]
        received = self.receive(80, pattern, "--from", "earliest", *position)
        received += self.receive(len(expected) - 80, pattern, *position)
        self.assertEqual([event["context"]["id"] for event in received], expected)
        self.assertEqual({event["customData"]["text"] for event in received}, {"Grüße 🚀"})

    def test_subscribe_resumes_by_a_durable_subscription(self):
        self.assert_run(self.publish(self.lines(2000, 2090)))
        expected, pattern = self.crossing(2000, 2090), self.event_id("2___")
        name = ["--name", type(self).__name__.lower()]
        received = self.receive(20, pattern, "--from", "earliest", *name)
        received += self.receive(len(expected) - 20, pattern, *name)
        self.assertEqual([event["context"]["id"] for event in received], expected)

    def test_subscribe_lives_through_a_restart_of_the_gateway(self):
        ids = ["--filter", f"id LIKE '{self.event_id('3___')}'", "--from", "earliest"]
        argv = [*self.subscribe_argv(), *self.target(self.domains.beta, "subscriber"), "--max", "4", *ids]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as subscriber:
            try:
                self.assert_run(self.publish(self.lines(3000, 3003)))
                received = [subscriber.stdout.readline() for _ in range(2)]
                self.domains.beta.kill()
                self.domains.beta.start()
                self.assert_run(self.publish(self.lines(3003, 3006)))
                received += [subscriber.stdout.readline() for _ in range(2)]
                self.assertEqual(subscriber.wait(timeout=harness.PATIENCE_S), 0)
            finally:
                subscriber.kill()
        self.assertEqual([json.loads(line)["event"]["context"]["id"] for line in received], self.crossing(3000, 3006))


class PythonExamplesTest(Examples, harness.DomainsTest):
    @classmethod
    def setUpClass(cls):
        if harness.run([PYTHON, "-c", "import grpc, google.protobuf"]).code != 0:
            raise unittest.SkipTest(f"{PYTHON} has no grpc; see deploy/examples/python/README.md")
        super().setUpClass()

    def publish_argv(self):
        return [PYTHON, os.path.join(EXAMPLES, "python", "publish.py")]

    def subscribe_argv(self):
        return [PYTHON, os.path.join(EXAMPLES, "python", "subscribe.py")]


class NodeExamplesTest(Examples, harness.DomainsTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.install_node_example("node")
        super().setUpClass()

    def program(self, name):
        return ["env", f"CDGATE_PROTO={harness.ROOT}/proto", "node", os.path.join(self.folder, name)]

    def publish_argv(self):
        return self.program("publish.mjs")

    def subscribe_argv(self):
        return self.program("subscribe.mjs")


if __name__ == "__main__":
    harness.main()
